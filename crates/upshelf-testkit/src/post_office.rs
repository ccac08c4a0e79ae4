use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[derive(Debug, Default)]
struct Desk {
    taken: Mutex<Vec<String>>,
    refuse: AtomicUsize,
    reject: AtomicUsize,
    is_silent: AtomicBool,
}

/// A mail server that takes what it is given (RFC 5321), or refuses it. It ends with its value.
#[derive(Debug)]
pub struct PostOffice {
    address: SocketAddr,
    desk: Arc<Desk>,
    _clerks: JoinSet<()>,
}

impl PostOffice {
    /// Opens one on a free port of 127.0.0.1.
    pub async fn open() -> PostOffice {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let desk = Arc::new(Desk::default());
        let mut clerks = JoinSet::new();
        let at = desk.clone();
        clerks.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                talks.spawn(talk(stream, at.clone()));
            }
        });
        PostOffice { address, desk, _clerks: clerks }
    }

    /// Returns `smtp://…`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Refuses the next `mails`, for now.
    pub fn refuse(&self, mails: usize) {
        self.desk.refuse.store(mails, Ordering::SeqCst);
    }

    /// Refuses the next `mails`, for good.
    pub fn reject(&self, mails: usize) {
        self.desk.reject.store(mails, Ordering::SeqCst);
    }

    /// Takes mails from now on without saying so, or says so again.
    pub fn be_silent(&self, is_silent: bool) {
        self.desk.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// Returns the mails that it has taken, as they came.
    pub fn taken(&self) -> Vec<String> {
        self.desk.taken.lock().expect("unpoisoned").clone()
    }
}

async fn talk(stream: TcpStream, desk: Arc<Desk>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut answer = "220 ready\r\n";
    loop {
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
        if !matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
            return;
        }
        answer = match line.trim_end().to_ascii_uppercase().as_str() {
            "DATA" => {
                if stream.get_mut().write_all(b"354 go on\r\n").await.is_err() {
                    return;
                }
                let mut mail = String::new();
                loop {
                    line.clear();
                    if !matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
                        return;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    mail.push_str(&line);
                }
                let counts_down = |left: &AtomicUsize| {
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
                };
                if counts_down(&desk.refuse) {
                    "451 come back later\r\n"
                } else if counts_down(&desk.reject) {
                    "550 no such mailbox\r\n"
                } else {
                    desk.taken.lock().expect("unpoisoned").push(mail);
                    if desk.is_silent.load(Ordering::SeqCst) {
                        // Until whoever waits for the answer has hung up.
                        let _ = stream.read_line(&mut line).await;
                        return;
                    }
                    "250 taken\r\n"
                }
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
    }
}
