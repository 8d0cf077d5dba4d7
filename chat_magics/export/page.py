"""The frame of an exported HTML page: its head, its colours in light and dark, and for paper."""

from __future__ import annotations

from chat_magics.markdown import STYLE

__all__ = ["FOOT", "HEAD"]

# The variables are those that STYLE takes from JupyterLab; both sets are AA on their background.
_STYLE = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --soft: #f1f3f5; --jp-layout-color0: #fafafa;
  --jp-content-font-color1: #212121; --jp-ui-font-color2: #595959;
  --jp-content-link-color: #0b57d0; --jp-border-color2: #d0d0d0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181c; --soft: #262a30; --jp-layout-color0: #1e2126;
    --jp-layout-color2: #2c3138; --jp-content-font-color1: #e4e6e9;
    --jp-ui-font-color2: #a3a9b1; --jp-content-link-color: #8ab4f8;
    --jp-border-color2: #434951; --jp-error-color1: #ff8a80;
    --jp-mirror-editor-keyword-color: #8fd694; --jp-mirror-editor-builtin-color: #8fd694;
    --jp-mirror-editor-string-color: #ff9e8a; --jp-mirror-editor-number-color: #a8d8a8;
    --jp-mirror-editor-def-color: #8ab4f8; --jp-mirror-editor-attribute-color: #9fc3ff;
    --jp-mirror-editor-operator-color: #d7a6ff; --jp-mirror-editor-comment-color: #93a8a8;
  }
}
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 46rem; background: var(--page);
  color: var(--jp-content-font-color1); font: 16px/1.55 system-ui, sans-serif;
}
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 0.2rem; overflow-wrap: anywhere; }
h2.left { font-size: 1rem; margin: 3rem 0 0; color: var(--jp-ui-font-color2); }
article + article {
  margin-top: 4rem; padding-top: 2rem; border-top: 1px solid var(--jp-border-color2);
}
.quiet { margin: 0.3em 0; color: var(--jp-ui-font-color2); font-size: 0.85rem; }
.quiet, details { overflow-wrap: anywhere; }
.turn { margin-top: 1.8rem; }
.prompt {
  width: fit-content; max-width: 85%; margin: 0 0 1rem auto; padding: 0.6rem 0.9rem;
  box-sizing: border-box; border-radius: 1rem 1rem 0.25rem 1rem; background: var(--soft);
}
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.reply { unicode-bidi: plaintext; }
.reply :is(h1, h2) { font-size: 1.2rem; margin: 1.6rem 0 0.5rem; }
.reply :is(h3, h4, h5, h6) { font-size: 1.05rem; margin: 1.4rem 0 0.5rem; }
.reply + .quiet { margin-top: 0.7em; }
details { margin: 0.5rem 0; color: var(--jp-ui-font-color2); font-size: 0.9rem; }
summary { cursor: pointer; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
:focus-visible { outline: 2px solid var(--jp-content-link-color); outline-offset: 2px; }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  .prompt { border: 1px solid #d0d0d0; }
  .prompt, .quiet, tr { break-inside: avoid; }
  h1, .prompt { break-after: avoid; }
  .chat-magics.chat-magics pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  article + article { break-before: page; border: 0; }
}
"""

HEAD = f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Conversations</title>
<style>
{STYLE}{_STYLE}</style>
</head>
<body>
<main>
"""
"""What stands before the conversations: nothing is fetched, and no script can run."""

FOOT = "</main>\n</body>\n</html>\n"
