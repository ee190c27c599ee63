//! The lines of source around an error, with a caret under the place.

use crate::term::{Paint, harmless};

/// Lines shown before the one that is meant.
const LINES_BEFORE: usize = 2;
/// Characters of one line shown: a minified bundle is one line of a megabyte.
const COLUMNS_MAX: usize = 100;

/// The excerpt, each line indented and numbered, or `None` when the source has no such line.
///
/// `line` and `column` count from 1; `column` counts UTF-16 units, as V8 does.
pub fn excerpt(source: &str, line: u32, column: Option<u32>, paint: Paint) -> Option<String> {
    let at = (line as usize).checked_sub(1)?;
    let lines: Vec<&str> = source.lines().skip(at.saturating_sub(LINES_BEFORE)).take(LINES_BEFORE + 1).collect();
    let meant = at.min(LINES_BEFORE);
    let text = lines.get(meant)?;
    let column = column.map(|column| characters_before(text, column));
    // All lines are cut at the same place, so that their indentation can still be compared.
    let from = column.map_or(0, |column| column.saturating_sub(COLUMNS_MAX * 3 / 4));
    let from = if text.chars().count() <= COLUMNS_MAX { 0 } else { from };

    let digits = line.to_string().len();
    let mut out = String::new();
    for (offset, shown) in lines.iter().take(meant + 1).enumerate() {
        let number = at - meant + offset + 1;
        let gutter = paint.dim(&format!("{number:>digits$} |"));
        out.push_str(format!("  {gutter} {}", cut(shown, from)).trim_end());
        out.push('\n');
    }
    if let Some(column) = column {
        // Tabs above the caret stay tabs, so that it stands right whatever their width.
        let blank: String = cut(text, from)
            .chars()
            .take(column - from + usize::from(from > 0))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let gutter = paint.dim(&format!("{:>digits$} |", ""));
        out.push_str(&format!("  {gutter} {blank}{}\n", paint.red("^")));
    }
    Some(out)
}

/// How many characters of `text` stand before a column counted in UTF-16 units from 1.
fn characters_before(text: &str, column: u32) -> usize {
    let (mut units, mut count) = (1, 0);
    for c in text.chars() {
        if units >= column {
            break;
        }
        units += c.len_utf16() as u32;
        count += 1;
    }
    count
}

/// The part of a line that is shown, with `…` where something was left out.
fn cut(line: &str, from: usize) -> String {
    let mut shown: String = line.chars().skip(from).take(COLUMNS_MAX).map(visible).collect();
    if from > 0 {
        shown.insert(0, '…');
    }
    if line.chars().nth(from + COLUMNS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// One column per character, whatever it is: the caret depends on it.
fn visible(c: char) -> char {
    if c == '\t' || harmless(c.encode_utf8(&mut [0; 4]), false).len() == c.len_utf8() { c } else { '\u{fffd}' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(source: &str, line: u32, column: u32) -> String {
        excerpt(source, line, Some(column), Paint::OFF).unwrap()
    }

    #[test]
    fn the_caret_stands_under_the_column() {
        let source = "const a = 1;\n\nexport const handler = async () => {\n  return { a b };\n};\n";
        assert_eq!(
            plain(source, 4, 14),
            "  2 |\n  3 | export const handler = async () => {\n  4 |   return { a b };\n    |              ^\n",
        );
        assert_eq!(plain(source, 1, 1), "  1 | const a = 1;\n    | ^\n");
    }

    #[test]
    fn line_numbers_are_right_aligned() {
        let source = "x\n".repeat(12);
        assert_eq!(plain(&source, 10, 1), "   8 | x\n   9 | x\n  10 | x\n     | ^\n");
    }

    #[test]
    fn tabs_and_wide_characters_do_not_move_the_caret() {
        assert_eq!(plain("\tfoo(", 1, 5), "  1 | \tfoo(\n    | \t   ^\n");
        // The smiley is two UTF-16 units but one character.
        assert_eq!(plain("'\u{1f600}' x", 1, 6), "  1 | '\u{1f600}' x\n    |     ^\n");
    }

    #[test]
    fn a_very_long_line_is_shown_around_the_column() {
        let source = format!("{}!{}", "a".repeat(5_000), "b".repeat(5_000));
        let shown = plain(&source, 1, 5_001);
        let (text, caret) = shown.split_once('\n').unwrap();
        assert!(text.chars().count() < 120, "{text}");
        assert_eq!(text.chars().position(|c| c == '!'), caret.chars().position(|c| c == '^'));
    }

    #[test]
    fn places_outside_the_source_do_no_harm() {
        assert_eq!(excerpt("one", 2, Some(1), Paint::OFF), None);
        assert_eq!(excerpt("one", 0, Some(1), Paint::OFF), None);
        assert_eq!(plain("one", 1, 900), "  1 | one\n    |    ^\n");
        assert_eq!(excerpt("one", 1, None, Paint::OFF).unwrap(), "  1 | one\n");
        assert_eq!(plain("a\u{1b}[31mb", 1, 1), "  1 | a\u{fffd}[31mb\n    | ^\n");
    }
}
