//! A page as one HTML document: no scripts, nothing fetched, made to be printed and to be read aloud.

use super::page::{Block, Outcome, Page, Section};
use crate::output::clean;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2rem;break-after:avoid}\
.outcome{border:.2rem solid;padding:.75rem 1rem}.outcome strong{font-size:1.2rem}\
dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1.5rem;overflow-wrap:anywhere}\
.table{overflow-x:auto}table{border-collapse:collapse;width:100%}\
caption{text-align:left;font-weight:600;padding:.5rem 0}\
th,td{border:1px solid;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere;word-break:break-word}\
tr,li,dd{break-inside:avoid}\
@media print{body{max-width:none;margin:0;font-size:10pt}.table{overflow:visible}}";

/// The whole document.
pub(super) fn document(page: &Page) -> String {
    let title = escaped(&format!("Decision {}", page.decision));
    let mut out = String::with_capacity(32 << 10);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    // Should a stranger's text ever get past the escaping, it still fetches and runs nothing.
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    out.extend(["<title>", &title, " — ", page.outcome.heading(), "</title>\n<style>", STYLE, "</style>\n</head>\n"]);
    out.extend(["<body>\n<main>\n<h1>", &title, "</h1>\n"]);
    let role = if page.outcome == Outcome::Verified { "status" } else { "alert" };
    out.extend(["<p class=\"outcome\" role=\"", role, "\"><strong>", page.outcome.heading(), "</strong><br>"]);
    out.extend([&escaped(&page.sentence), "</p>\n"]);
    for (n, Section { heading, blocks }) in page.sections.iter().enumerate() {
        let id = format!("s{n}");
        out.extend(["<section aria-labelledby=\"", &id, "\">\n<h2 id=\"", &id, "\">", &escaped(heading), "</h2>\n"]);
        for each in blocks {
            block(&mut out, each);
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn block(out: &mut String, block: &Block) {
    match block {
        Block::Text(text) => out.extend(["<p>", &escaped(text), "</p>\n"]),
        Block::List(list) => {
            out.push_str("<ul>\n");
            for text in list {
                out.extend(["<li>", &escaped(text), "</li>\n"]);
            }
            out.push_str("</ul>\n");
        }
        Block::Pairs(pairs) => {
            out.push_str("<dl>\n");
            for (name, value) in pairs {
                out.extend(["<dt>", &escaped(name), "</dt><dd>", &escaped(value), "</dd>\n"]);
            }
            out.push_str("</dl>\n");
        }
        Block::Table { caption, head, rows } => {
            // Whoever has no mouse can scroll it, too.
            out.extend([
                "<div class=\"table\" role=\"group\" tabindex=\"0\" aria-label=\"",
                &escaped(caption),
                "\">\n",
            ]);
            out.extend(["<table>\n<caption>", &escaped(caption), "</caption>\n<thead><tr>"]);
            for name in *head {
                out.extend(["<th scope=\"col\">", &escaped(name), "</th>"]);
            }
            out.push_str("</tr></thead>\n<tbody>\n");
            for row in rows {
                out.push_str("<tr>");
                for (n, cell) in row.iter().enumerate() {
                    let (open, close) = if n == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td>", "</td>") };
                    out.extend([open, &escaped(cell), close]);
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</tbody>\n</table>\n</div>\n");
        }
    }
}

/// Text from elsewhere, as text: cleaned as for a terminal, then free of markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_stays_text() {
        let evil = "<script>alert('x')</script>\" onload=\"x\u{202e}&";
        let page = Page {
            decision: evil.into(),
            outcome: Outcome::NotVerified,
            sentence: evil.into(),
            sections: vec![Section {
                heading: "What failed",
                blocks: vec![
                    Block::Text(evil.into()),
                    Block::List(vec![evil.into()]),
                    Block::Pairs(vec![(evil.into(), evil.into())]),
                    Block::Table { caption: "x", head: &["a"], rows: vec![vec![evil.into(), evil.into()]] },
                ],
            }],
        };
        let html = document(&page);
        assert!(!html.contains("<script") && !html.contains("onload=\"") && !html.contains('\u{202e}'));
        assert_eq!(html.matches("&lt;script&gt;").count(), 9);
    }
}
