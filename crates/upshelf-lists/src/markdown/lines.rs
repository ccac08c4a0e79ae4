//! Where a document's text begins, and where lines begin and end: at `\n`, `\r\n` or `\r`.

/// Where lines begin.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let breaks = |(at, byte): (usize, &u8)| match byte {
            b'\n' => Some(at + 1),
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(at + 1),
            _ => None,
        };
        Self(std::iter::once(0).chain(bytes.iter().enumerate().filter_map(breaks)).collect())
    }

    /// The number of the line that holds this place, counted from 1.
    pub(crate) fn at(&self, place: usize) -> usize {
        self.0.partition_point(|start| *start <= place)
    }
}

/// Where the line that holds this place begins.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().rposition(|&byte| byte == b'\n' || byte == b'\r').map_or(0, |end| end + 1)
}

/// Where the line that holds this place ends, its line break included.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes[at..].iter().position(|&byte| byte == b'\n' || byte == b'\r') {
        None => bytes.len(),
        Some(length) if bytes[at + length..].starts_with(b"\r\n") => at + length + 2,
        Some(length) => at + length + 1,
    }
}

/// What stands before the document: a byte order mark, which would hide a heading on the first line, and front matter
/// (`---`, `key: value`, `---`), which would be taken for one.
pub(crate) fn preamble(text: &str) -> usize {
    let mark = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    let mut at = line_end(text, mark);
    if text[mark..at].trim_end() != "---" {
        return mark;
    }
    let is_key = |line: &str| line.split_once(':').is_some_and(|(key, _)| !key.contains(char::is_whitespace));
    if !is_key(&text[at..line_end(text, at)]) {
        return mark;
    }
    while at < text.len() {
        let end = line_end(text, at);
        if matches!(text[at..end].trim_end(), "---" | "...") {
            return end;
        }
        at = end;
    }
    mark
}
