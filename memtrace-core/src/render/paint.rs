//! Colour, which is never the only signal: every painted word says the same without it.

/// What a piece of text is, not how it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// What the eye should find first.
    Title,
    /// What is there for completeness.
    Faint,
    /// What asks for attention.
    Alert,
}

/// Paints or does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Paint {
    /// False in a pipe.
    pub(super) color: bool,
}

impl Paint {
    /// `text` in that style.
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match style {
            Style::Title => "1",
            Style::Faint => "2",
            Style::Alert => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
