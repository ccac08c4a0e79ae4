use std::path::Path;
use std::process::Command;

/// Makes an authority (`authority.pem`) and, signed by it, a certificate for localhost (`server.pem`, `server.key`), good for
/// two days.
///
/// # Errors
/// When the command `openssl` is missing or fails; says what to do.
pub fn certify(folder: &Path) -> Result<(), String> {
    const KEY: [&str; 5] = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let make = |args: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(folder).args(["req", "-x509", "-days", "2"]).args(KEY).args(args);
        let made = openssl.output().map_err(|e| {
            format!("a certificate needs the command openssl 3 (`apt-get install openssl`): {e}")
        })?;
        match made.status.success() {
            true => Ok(()),
            false => Err(format!("openssl: {}", String::from_utf8_lossy(&made.stderr))),
        }
    };
    make(&["-subj", "/CN=Tests of Upshelf", "-keyout", "authority.key", "-out", "authority.pem"])?;
    make(&[
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-CA",
        "authority.pem",
        "-CAkey",
        "authority.key",
        "-keyout",
        "server.key",
        "-out",
        "server.pem",
    ])
}
