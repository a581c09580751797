"""The picture of a comment for the documentation: a golden case in GitHub's renderer, as a page, as pixels.

`make picture` runs it. The style is not GitHub's own: what is folded away is marked, one part of it stands open, and a
diff has its colours.
"""

from __future__ import annotations

import html
import io
import re
import sys
from pathlib import Path
from typing import Any

import pypdfium2
import weasyprint
from PIL import Image, ImageChops

from tests.rendered import html_of

CASE = Path(__file__).parent / "cases" / "pull-request" / "plan.md"

STYLE = """
@page { size: 900px 4000px; margin: 18px }
body { font: 13.5px/1.5 "DejaVu Sans", sans-serif; color: #1f2328; margin: 0 }
.comment { border: 1px solid #d1d9e0; border-radius: 8px }
.author { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; padding: 8px 16px; color: #59636e;
  border-radius: 8px 8px 0 0 }
.text { padding: 4px 16px 10px }
h2 code { font-size: 17px } h2 { font-size: 19px; border-bottom: 1px solid #d1d9e0; padding-bottom: 6px; margin: 10px 0 }
h3 { font-size: 15.5px; margin: 16px 0 8px }
p, ul, table, pre, details { margin: 0 0 10px }
ul { padding-left: 22px }
code, pre { font: 11.5px/1.5 "DejaVu Sans Mono", monospace }
code { background: #eff1f3; border-radius: 4px; padding: 1px 4px }
pre { background: #f6f8fa; border-radius: 6px; padding: 10px 12px; white-space: pre-wrap }
pre code { background: none; padding: 0 }
pre span { display: block }
.plus { color: #116329; background: #dafbe1 } .minus { color: #82071e; background: #ffebe9 }
.change { color: #953800; background: #fff1e5 } .head { color: #6639ba; font-weight: bold }
table { border-collapse: collapse } th, td { border: 1px solid #d1d9e0; padding: 4px 10px }
details { display: block } summary { display: block; margin-bottom: 6px }
summary::before { content: "\\25B8\\2002" } .open > summary::before { content: "\\25BE\\2002" }
details > :not(summary) { display: none } .open > :not(summary) { display: block }
"""

_COLOURS = {"+": "plus", "-": "minus", "!": "change", "@": "head"}


def page_of(markdown: str) -> str:
    """Return a comment as a page of HTML, the last of its folded parts open."""
    body = re.sub(r'(?s)<pre lang="diff"><code>(.*?)</code></pre>', _coloured, html_of(markdown))
    before, folded, after = body.rpartition("<details>")
    body = f"{before}{folded.replace('<details>', '<details class=open open>')}{after}"
    author = "<b>github-actions</b> commented <i>on the pull request; the same comment is written anew on each push</i>"
    comment = f'<div class="comment"><div class="author">{author}</div><div class="text">{body}</div></div>'
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{comment}"


def _coloured(found: re.Match[str]) -> str:
    lines = found[1].rstrip("\n").split("\n")
    spans = (f'<span class="{_COLOURS.get(html.unescape(line)[:1], "")}">{line}</span>' for line in lines)
    return f"<pre><code>{''.join(spans)}</code></pre>"


def main(file: str) -> None:
    """Write the picture."""
    pdf = weasyprint.HTML(string=page_of(CASE.read_text(encoding="utf-8"))).write_pdf(presentational_hints=True)
    image = pypdfium2.PdfDocument(io.BytesIO(pdf))[0].render(scale=1.9).to_pil().convert("RGB")
    image = image.crop((0, 0, image.width, _height(image)))
    image.quantize(64).save(file, optimize=True)


def _height(image: Any) -> int:
    """Return where the last pixel is that is not white, with a margin."""
    box: Any = ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox()
    return int(min(image.height, box[3] + 30))


if __name__ == "__main__":
    main(sys.argv[1])
