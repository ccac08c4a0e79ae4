//! A folder as the way out for mails: a file each, for a program or a person to take on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use upshelf_store::MailId;

/// Where mails are written into.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// # Errors
    /// When it is not there and cannot be made.
    pub(super) fn open(path: &Path) -> Result<Folder> {
        std::fs::create_dir_all(path)
            .with_context(|| format!("could not make the folder for mails {}", path.display()))?;
        Ok(Folder(path.to_owned()))
    }

    /// Writes a mail as `ID.eml`, whole or not at all. Ids sort by the time the mails were written. One that is there stays
    /// as it is: an earlier attempt ended between writing it and the note of it.
    pub(super) async fn put(&self, id: MailId, mail: &[u8]) -> Result<()> {
        let (file, part) = (self.0.join(format!("{id}.eml")), self.0.join(format!(".{id}.part")));
        let write = async {
            if tokio::fs::try_exists(&file).await? {
                return Ok(());
            }
            // Mails are for their recipients only.
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut open = options.open(&part).await?;
            open.write_all(mail).await?;
            open.sync_all().await?;
            tokio::fs::rename(&part, &file).await?;
            // The name lasts once the folder is written out, too.
            File::open(&self.0).await?.sync_all().await
        };
        write.await.with_context(|| format!("could not write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_is_written_whole_and_once() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(&place.path().join("new/mails")).expect("it is made");
        let id = MailId(uuid::Uuid::nil());
        // What an attempt that was killed left behind.
        let names = || {
            let entries = std::fs::read_dir(&folder.0).expect("the folder is there");
            entries
                .map(|one| one.expect("an entry").file_name().into_string().expect("a name"))
                .collect::<Vec<_>>()
        };
        std::fs::write(folder.0.join(format!(".{id}.part")), "Su").expect("it is writable");
        folder.put(id, b"Subject: a\r\n\r\nb").await.expect("it is written");
        folder.put(id, b"another").await.expect("it is there");
        assert_eq!(names(), [format!("{id}.eml")]);
        let written = std::fs::read(folder.0.join(format!("{id}.eml"))).expect("it is readable");
        assert_eq!(written, b"Subject: a\r\n\r\nb");
    }

    #[tokio::test]
    async fn a_folder_that_went_away_is_an_error_for_the_next_attempt() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(&place.path().join("mails")).expect("it is made");
        std::fs::remove_dir(&folder.0).expect("it is empty");
        assert!(folder.put(MailId(uuid::Uuid::nil()), b"a").await.is_err());
    }
}
