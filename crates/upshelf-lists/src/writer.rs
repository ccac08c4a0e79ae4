//! A library written out entry by entry.

use std::io::{self, Write};

use jiff::Timestamp;

use crate::netscape::SECONDS;
use crate::table::{PATH_MARK, inert};
use crate::text::{fold, join, plain};
use crate::{Entry, UrlKey};

/// Writes Netscape bookmarks, JSON or CSV in constant memory: [`entry`](Self::entry) for each, then
/// [`finish`](Self::finish). Nothing is complete before that.
///
/// Into a `Vec<u8>` it serves asynchronous callers: [`get_mut`](Self::get_mut) gives what was written so far, to be
/// sent and cleared.
pub struct Writer<W: Write> {
    out: W,
    form: Form,
}

enum Form {
    /// The folders that are open.
    Netscape(Vec<String>),
    /// Whether an entry was written before.
    Json(bool),
    Csv,
}

impl<W: Write> Writer<W> {
    /// Begins a bookmark file. Entries that follow one another share the folders of their paths.
    pub fn netscape(mut out: W, title: &str) -> io::Result<Self> {
        let title = html(&fold(title));
        write!(
            out,
            "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<!-- This is an automatically generated file.\n     It will be read and \
             overwritten.\n     DO NOT EDIT! -->\n<META HTTP-EQUIV=\"Content-Type\" CONTENT=\"text/html; charset=UTF-8\">\n\
             <TITLE>{title}</TITLE>\n<H1>{title}</H1>\n<DL><p>\n"
        )?;
        Ok(Self { out, form: Form::Netscape(Vec::new()) })
    }

    /// Begins a JSON object with the entries as `entries`.
    pub fn json(mut out: W) -> io::Result<Self> {
        out.write_all(b"{\"entries\":[")?;
        Ok(Self { out, form: Form::Json(false) })
    }

    /// Begins a CSV file (RFC 4180) with a header. What a spreadsheet would run as a formula gets an apostrophe before
    /// it, which reading takes away.
    pub fn csv(mut out: W) -> io::Result<Self> {
        out.write_all(b"url,title,section,description,tags,added\r\n")?;
        Ok(Self { out, form: Form::Csv })
    }

    /// Writes one entry. An address that is not `http` or `https` is [`io::ErrorKind::InvalidInput`].
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        UrlKey::of(&entry.url).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        match &mut self.form {
            Form::Netscape(open) => bookmark(&mut self.out, open, entry),
            Form::Json(some) => {
                self.out.write_all(if std::mem::replace(some, true) { b",\n" } else { b"\n" })?;
                serde_json::to_writer(&mut self.out, entry).map_err(io::Error::from)
            }
            Form::Csv => {
                let added = entry.added.map(|added| added.to_string()).unwrap_or_default();
                let (path, tags) = (join(&entry.path(), PATH_MARK), join(&entry.tags, ','));
                let fields = [&entry.url, &entry.title, &path, &entry.description, &tags, &added]
                    .map(|text| field(text));
                write!(self.out, "{}\r\n", fields.join(","))
            }
        }
    }

    /// Ends the file and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        match &mut self.form {
            Form::Netscape(open) => {
                close(&mut self.out, open, 0)?;
                self.out.write_all(b"</DL><p>\n")?;
            }
            Form::Json(_) => self.out.write_all(b"\n]}\n")?,
            Form::Csv => {}
        }
        self.out.flush()?;
        Ok(self.out)
    }

    /// What it writes into.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }
}

fn bookmark(out: &mut impl Write, open: &mut Vec<String>, entry: &Entry) -> io::Result<()> {
    let path = entry.path();
    let shared = open.iter().zip(&path).take_while(|(open, name)| open == name).count();
    close(out, open, shared)?;
    for name in &path[shared..] {
        let indent = "    ".repeat(open.len() + 1);
        write!(out, "{indent}<DT><H3>{}</H3>\n{indent}<DL><p>\n", html(&fold(name)))?;
        open.push(name.clone());
    }
    let indent = "    ".repeat(open.len() + 1);
    write!(out, "{indent}<DT><A HREF=\"{}\"", html(&entry.url))?;
    if let Some(added) = entry.added.map(Timestamp::as_second).filter(|added| SECONDS.contains(added)) {
        write!(out, " ADD_DATE=\"{added}\"")?;
    }
    if !entry.tags.is_empty() {
        // A comma at the end tells one tag of two words from two tags.
        let comma =
            if entry.tags.len() == 1 && entry.tags[0].contains(char::is_whitespace) { "," } else { "" };
        let tags: Vec<String> = entry.tags.iter().map(|tag| fold(tag).replace(',', " ")).collect();
        write!(out, " TAGS=\"{}{comma}\"", html(&tags.join(",")))?;
    }
    writeln!(out, ">{}</A>", html(&fold(&entry.title)))?;
    let description = plain(&entry.description);
    if !description.is_empty() {
        writeln!(out, "{indent}<DD>{}", html(&description))?;
    }
    Ok(())
}

fn close(out: &mut impl Write, open: &mut Vec<String>, depth: usize) -> io::Result<()> {
    while open.len() > depth {
        writeln!(out, "{}</DL><p>", "    ".repeat(open.len()))?;
        open.pop();
    }
    Ok(())
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn field(text: &str) -> String {
    let text = inert(text);
    match text.contains([',', ';', '"', '\r', '\n', '\t', ' ']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}
