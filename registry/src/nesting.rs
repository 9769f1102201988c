//! How deep a TOML text is nested, told before it's parsed.
//!
//! The parser bounds the depth of brackets and the length of dotted keys, each to 80, but not their product: some
//! thousand tables in one another pass, and whatever then walks them recursively (building them, dropping them)
//! overflows its stack, which ends the process. So the depth is counted first, on the parser's own tokens.

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use crate::ManifestError;

/// Deepest nesting of one statement; a table's header and the statements under it add up to twice that at most.
const DEEPEST: usize = 64;

/// Refuses a text in which a statement is nested deeper than [`DEEPEST`].
pub(crate) fn check(text: &str) -> Result<(), ManifestError> {
    // For each open bracket, the depth before it; and the depth reached by brackets and dots since the statement began.
    let (mut opened, mut depth, mut line) = (Vec::new(), 0_usize, 1_usize);
    let source = Source::new(text);
    for token in source.lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                opened.push(depth);
                depth = depth.saturating_add(1);
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => depth = opened.pop().unwrap_or(0),
            TokenKind::Dot => depth = depth.saturating_add(1),
            TokenKind::Comma | TokenKind::Newline => depth = opened.last().map_or(0, |before| before.saturating_add(1)),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(ManifestError::TooDeep { line, limit: DEEPEST });
        }
        let span = token.span();
        line += text.get(span.start()..span.end()).unwrap_or_default().matches('\n').count();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        check(text).is_err()
    }

    #[test]
    fn brackets_and_dots_are_counted_together() {
        let dotted = |keys: usize| vec!["a"; keys].join(".");
        assert!(!refused(&format!("{} = 1", dotted(60))));
        assert!(refused(&format!("{} = 1", dotted(70))));
        assert!(!refused(&format!("[{}]\n{} = {{ {} = 1 }}", dotted(50), dotted(20), dotted(20))));
        assert!(refused(&format!("x = 1\n{} = {{ {} = 1 }}", dotted(40), dotted(40))));
        assert!(refused(&format!("x = {}", "[".repeat(70))));
    }

    #[test]
    fn siblings_and_texts_are_not() {
        let many = "x = [{ a.b = 1.5 }, { a.b = 2.5, c = [1.5, 2.5] },\n { a.b = 3.5 }]\n".repeat(50);
        assert!(!refused(&many));
        assert!(!refused(&format!("x = \"{0}\"\ny = '{0}'\nz = \"\"\"\n{0}\"\"\" # {0}", "[.{".repeat(100))));
        assert_eq!(
            check(&format!("a = 1\n\nb = {}", "[".repeat(70))),
            Err(ManifestError::TooDeep { line: 3, limit: 64 })
        );
    }
}
