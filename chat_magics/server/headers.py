"""What a page of ours may load, and who may show it: its extensions, its headers."""

from __future__ import annotations

from .settings import ServeSettings

__all__ = ["EXTENSIONS", "security_headers"]

EXTENSIONS = (
    "anywidget",
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
)
"""What the page loads of JupyterLab's extensions; each of the others would cost every visitor."""


def security_headers(serving: ServeSettings) -> dict[str, str]:
    """Headers by name.

    Voilà's page needs inline scripts and `eval`; no script, style, image, font or connection of
    another host is let in, and so none can carry away what was said.

    Args:
        serving: who may show the app in a frame.

    Example:
        >>> "frame-ancestors 'self'" in security_headers(ServeSettings())["Content-Security-Policy"]
        True
    """
    ancestors = " ".join(("'self'", *serving.frame_ancestors))
    policy = (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self' data:",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "form-action 'self'",
        "base-uri 'self'",
        f"frame-ancestors {ancestors}",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # by none at all a form of ours has no origin either
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }
