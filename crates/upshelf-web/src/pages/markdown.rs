//! Text from people as HTML that can do no harm: comrak renders it, ammonia lets little through.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use askama::filters::HtmlSafe;
use comrak::Options;

/// HTML that is safe to stand in a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Safe(String);

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Safe {}

impl Safe {
    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Renders paragraphs, lists and the like: bios, comments, collections' descriptions.
pub(crate) fn html(markdown: &str) -> Safe {
    Safe(BLOCKS.clean(&comrak::markdown_to_html(markdown, &OPTIONS)).to_string())
}

/// Renders one line: descriptions of resources.
pub(crate) fn inline(markdown: &str) -> Safe {
    if is_plain(markdown) {
        return Safe(markdown.to_owned());
    }
    // Behind a bracket, nothing can be read as a heading, a list or a quotation, and links are still recognised.
    let line = format!("({}", markdown.split_whitespace().collect::<Vec<_>>().join(" "));
    let rendered = comrak::markdown_to_html(&line, &OPTIONS);
    let cleaned = INLINE.clean(&rendered).to_string();
    let cleaned = cleaned.trim_end();
    Safe(cleaned.strip_prefix('(').unwrap_or(cleaned).to_owned())
}

/// Most descriptions hold nothing that Markdown or HTML would look at, and stand for themselves.
fn is_plain(text: &str) -> bool {
    !text.contains(['*', '_', '`', '[', ']', '<', '>', '&', '"', '\'', '\\', '~', ':', '@', '\n', '\r'])
        && !text.contains("www.")
}

static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
    let mut options = Options::default();
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    // Tags that people type are shown as they typed them.
    options.render.escape = true;
    options
});

static INLINE: LazyLock<Builder<'static>> = LazyLock::new(|| cleaner(&["a", "code", "del", "em", "strong"]));

static BLOCKS: LazyLock<Builder<'static>> = LazyLock::new(|| {
    cleaner(&["a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong", "ul"])
});

fn cleaner(tags: &[&'static str]) -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(tags.iter().copied().collect())
        .tag_attributes([("a", HashSet::from(["href"]))].into())
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow ugc noopener"));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_stays_on_one_line_whatever_it_begins_with() {
        for (markdown, html) in [
            ("Plain words, nothing more.", "Plain words, nothing more."),
            ("# Not a heading", "# Not a heading"),
            ("- not a list", "- not a list"),
            ("1. not a list", "1. not a list"),
            ("*Fast* and _small_ `grep`", "<em>Fast</em> and <em>small</em> <code>grep</code>"),
            ("_small_\nfirst", "<em>small</em> first"),
            ("R&D's \"best\"", "R&amp;D's \"best\""),
            (
                "See [docs](https://docs.example.org/)",
                r#"See <a href="https://docs.example.org/" rel="nofollow ugc noopener">docs</a>"#,
            ),
            (
                "https://example.org (bare)",
                r#"<a href="https://example.org" rel="nofollow ugc noopener">https://example.org</a> (bare)"#,
            ),
        ] {
            assert_eq!(inline(markdown).to_string(), html, "{markdown:?}");
        }
    }

    #[test]
    fn scripts_and_their_schemes_never_get_through() {
        let torture = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\tscript:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](vbscript:msgbox)",
            "![x](https://example.org/pixel.png)",
            "<a href=\"javascript:alert(1)\" onload=\"alert(1)\">x</a>",
            "<svg onload=alert(1)>",
            "<javascript:alert(1)>",
            "[x](https://example.org \"onload=alert(1)\")",
            "```\" onload=alert(1)\n<script>\n```",
            "[x]: javascript:alert(1)\n\n[x]",
        ];
        for markdown in torture {
            for html in [html(markdown).to_string(), inline(markdown).to_string()] {
                let lower = html.to_lowercase();
                // What stands outside of tags is text, whatever it looks like.
                for tag in lower.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
                    for bad in ["script", "img", "svg", "data:", "vbscript:", "onload", "onerror"] {
                        assert!(!tag.contains(bad), "{markdown:?} gave {html}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_comment_keeps_its_paragraphs_and_lists() {
        let text = html("One *two*.\n\n- three\n- four\n\n# five").to_string();
        assert!(text.contains("<p>One <em>two</em>.</p>"), "{text}");
        assert!(text.contains("<li>three</li>"), "{text}");
        assert!(text.contains("five") && !text.contains("<h1"), "{text}");
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        assert!(!html(&"> ".repeat(5_000)).to_string().contains("<script"));
        assert!(!html(&"[".repeat(10_000)).is_empty());
        assert!(!html(&format!("{}x", "* ".repeat(2_000))).is_empty());
    }
}
