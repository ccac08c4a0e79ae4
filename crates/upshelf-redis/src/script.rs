/// A Lua script, known to the server by its digest once it was loaded.
#[derive(Debug)]
pub struct Script {
    pub(crate) inner: redis::Script,
    pub(crate) text: &'static str,
}

impl Script {
    /// Takes the text of a script; keep it in a `LazyLock`, as the digest is computed here.
    pub fn new(text: &'static str) -> Self {
        Self { inner: redis::Script::new(text), text }
    }

    /// The SHA-1 digest of the text, in hexadecimal.
    pub fn digest(&self) -> &str {
        self.inner.get_hash()
    }
}
