"""The style sheet of replies: the host's colours, with fallbacks that are readable alone."""

from __future__ import annotations

__all__ = ["STYLE"]

# Code brings its own background along with its colours, so that where the host has no variables
# the literals meet each other and not an unknown page: 4.5:1 at least on white. With the host's,
# the background is --jp-layout-color0, on which the editor's colours are AA in light and dark;
# on --jp-cell-editor-background its comments are not. (In JupyterLab's dark theme they are 4.15:1
# even so, hence the mix with the text's colour: 5.9:1 in both.)
# Code, tables and formulas scroll sideways by themselves; the whole does so for a formula in the
# middle of a line, which no line can break: the page never scrolls because of a reply.
# Twice the class: JupyterLab's own rules for pre and code are as specific, and come later.
STYLE = """\
.chat-magics { line-height: 1.55; overflow-wrap: anywhere; overflow: auto hidden; }
.chat-magics > :first-child { margin-top: 0; }
.chat-magics > :last-child { margin-bottom: 0; }
.chat-magics a {
  color: var(--jp-content-link-color, currentColor); text-decoration: underline;
}
.chat-magics .chat-magics-host { font-size: 0.9em; unicode-bidi: isolate; }
.chat-magics.chat-magics pre, .chat-magics .chat-magics-source {
  margin: 0.6em 0; padding: 0.6em 0.8em; overflow-x: auto; white-space: pre;
  border: 1px solid var(--jp-border-color2, #d0d0d0); border-radius: 4px;
  background: var(--jp-layout-color0, #ffffff); color: var(--jp-content-font-color1, #212121);
  font-family: var(--jp-code-font-family, ui-monospace, monospace);
  font-size: var(--jp-code-font-size, 0.9em); line-height: 1.45;
}
.chat-magics.chat-magics pre code {
  padding: 0; border: 0; background: none; color: inherit; font: inherit; white-space: inherit;
}
.chat-magics .chat-magics-source { white-space: pre-wrap; }
.chat-magics pre[data-lang]::before {
  content: attr(data-lang); display: block; position: sticky; left: 0; width: max-content;
  margin-bottom: 0.3em; color: var(--jp-ui-font-color2, #595959); font-size: 0.85em;
  user-select: none;
}
.chat-magics.chat-magics :not(pre) > code {
  padding: 0.1em 0.3em; border: 0; border-radius: 3px; color: inherit;
  background: var(--jp-layout-color2, rgba(128, 128, 128, 0.15));
  font-family: var(--jp-code-font-family, ui-monospace, monospace); font-size: 0.9em;
}
.chat-magics blockquote {
  margin: 0.6em 0; padding-left: 0.9em;
  border-left: 3px solid var(--jp-border-color2, #8c8c8c);
}
.chat-magics table {
  display: block; width: max-content; max-width: 100%; overflow-x: auto;
  margin: 0.6em 0; border-collapse: collapse; overflow-wrap: normal;
}
.chat-magics.chat-magics th, .chat-magics.chat-magics td {
  padding: 0.3em 0.7em; text-align: left; border: 1px solid var(--jp-border-color2, #8c8c8c);
}
.chat-magics div.chat-magics-math { margin: 0.6em 0; overflow-x: auto; overflow-y: hidden; }
.chat-magics .chat-magics-pending { white-space: pre-wrap; }
.chat-magics-caption {
  margin-top: 0.3em; color: var(--jp-ui-font-color2, inherit); font-size: 0.85em;
}
.chat-magics-error {
  padding-left: 0.7em; color: var(--jp-content-font-color1, inherit);
  border-left: 3px solid var(--jp-error-color1, #d32f2f);
}
.chat-magics :is(.pg-k, .pg-kc, .pg-kd, .pg-kn, .pg-kp, .pg-kr, .pg-ow, .pg-nt) {
  color: var(--jp-mirror-editor-keyword-color, #007000); font-weight: 600;
}
.chat-magics :is(.pg-nb, .pg-bp, .pg-kt) {
  color: var(--jp-mirror-editor-builtin-color, #007000);
}
.chat-magics :is(.pg-nf, .pg-nc, .pg-fm, .pg-nn) {
  color: var(--jp-mirror-editor-def-color, #0000ff);
}
.chat-magics :is(.pg-na, .pg-nd) { color: var(--jp-mirror-editor-attribute-color, #0000cc); }
.chat-magics :is(
  .pg-s, .pg-s1, .pg-s2, .pg-sa, .pg-sb, .pg-sc, .pg-sd, .pg-se, .pg-sh, .pg-si, .pg-sr, .pg-sx
) {
  color: var(--jp-mirror-editor-string-color, #ba2121);
}
.chat-magics :is(.pg-m, .pg-mb, .pg-mf, .pg-mh, .pg-mi, .pg-mo, .pg-il) {
  color: var(--jp-mirror-editor-number-color, #007000);
}
.chat-magics :is(.pg-o) { color: var(--jp-mirror-editor-operator-color, #8a00c2); }
.chat-magics :is(.pg-c, .pg-c1, .pg-ch, .pg-cm, .pg-cp, .pg-cs) {
  color: color-mix(
    in srgb, var(--jp-mirror-editor-comment-color, #347070) 80%,
    var(--jp-content-font-color1, #212121)
  );
  font-style: italic;
}
"""
"""CSS for what `wrap` gives, for a caption under it, and for an error; it fetches nothing."""
