//! Copies of a SQLite library, made while it is in use, and put back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteLockingMode};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::database::SQLITE;
use crate::error::During;
use crate::life::LIFE;
use crate::{Error, Pools, Result, Store};

impl Store {
    /// Writes a copy of the library, as it is at one moment, to `file`; members go on reading and writing meanwhile.
    /// The file appears under its name when it is complete and on the disk.
    ///
    /// # Errors
    /// [`Error::Backup`] when the file exists, or the library is in PostgreSQL, which has `pg_dump` for this;
    /// [`Error::File`] and [`Error::Database`] when it cannot be written.
    pub async fn backup(&self, file: &Path) -> Result<()> {
        let Pools::Sqlite { read, .. } = &self.pools else {
            return Err(Error::Backup("a library in PostgreSQL is backed up with pg_dump".to_owned()));
        };
        if exists(file).await? {
            return Err(Error::Backup(format!("{} exists already", file.display())));
        }
        let mut connection = read.acquire().await.during("reach the database")?;
        let part = copy(&mut connection, file).await?;
        put_in_place(&part, file).await
    }

    /// Puts a copy back as the library at `library`. The copy is checked first, and the library replaced in one step.
    ///
    /// # Errors
    /// [`Error::Backup`] when the copy is damaged, not Upshelf's or newer than this program, when there is a library
    /// and `force` is not set, or when that is in use.
    pub async fn restore(copy_file: &Path, library: &Path, force: bool) -> Result<()> {
        let mut connection = SqliteConnectOptions::new()
            .filename(copy_file)
            .read_only(true)
            .connect()
            .await
            .during("open the copy")?;
        check(&mut connection, copy_file).await?;
        let replaces = exists(library).await?;
        if replaces && !force {
            return Err(Error::Backup(format!("there is a library at {} already", library.display())));
        }
        let part = copy(&mut connection, library).await?;
        connection.close().await.during("close the copy")?;
        begin_another_life(&part).await?;
        if replaces {
            let released = release(library).await;
            if released.is_err() {
                remove(&part).await?;
            }
            released?;
        }
        put_in_place(&part, library).await
    }
}

/// Says whether this is a whole library with tables that this program knows.
async fn check(connection: &mut SqliteConnection, file: &Path) -> Result<()> {
    /// SQLITE_ERROR, for want of a table
    const NO_TABLE: &str = "1";
    /// SQLITE_NOTADB
    const NO_DATABASE: &str = "26";
    let is_not = |what: &str| Error::Backup(format!("{} is {what}", file.display()));
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| match error.as_database_error().and_then(|error| error.code()).as_deref() {
                Some(NO_TABLE | NO_DATABASE) => is_not("not a library of Upshelf"),
                _ => is_not("damaged"),
            })?;
    let known = |version: &i64| SQLITE.iter().find(|migration| migration.version == *version);
    for (version, checksum) in &applied {
        let migration = known(version).ok_or_else(|| is_not("newer than this program"))?;
        if *migration.checksum != **checksum {
            return Err(is_not("not a library of Upshelf"));
        }
    }
    if applied.is_empty() {
        return Err(is_not("not a library of Upshelf"));
    }
    let health: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(connection)
        .await
        .map_err(|_| is_not("damaged"))?;
    if health == ["ok"] { Ok(()) } else { Err(is_not("damaged")) }
}

/// Writes a copy beside `file`, on the same disk, and gives its name.
async fn copy(connection: &mut SqliteConnection, file: &Path) -> Result<PathBuf> {
    let part = beside(file, ".part");
    remove(&part).await?;
    let name = part.to_str().ok_or_else(|| Error::Backup(format!("{} is not UTF-8", part.display())))?;
    let copied = sqlx::query("VACUUM INTO $1").bind(name).execute(connection).await;
    if copied.is_err() {
        remove(&part).await?;
    }
    copied.during("copy the library")?;
    Ok(part)
}

/// Lets those who remember numbers of the library that was here know that this is another one.
async fn begin_another_life(part: &Path) -> Result<()> {
    const SQL: &str = "DELETE FROM settings WHERE key = $1";
    let mut connection =
        SqliteConnectOptions::new().filename(part).connect().await.during("open the copied library")?;
    sqlx::query(SQL).bind(LIFE).execute(&mut connection).await.during("begin another life")?;
    connection.close().await.during("close the copied library")
}

/// Makes sure that nobody has the library open, and removes the files that belong to it.
async fn release(library: &Path) -> Result<()> {
    /// SQLITE_BUSY
    const BUSY: &str = "5";
    let options = SqliteConnectOptions::new()
        .filename(library)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(Duration::ZERO);
    let locked = async {
        let mut connection = options.connect().await?;
        let locked = sqlx::query("BEGIN EXCLUSIVE").execute(&mut connection).await;
        connection.close().await?;
        locked
    };
    // Any other error may be the very damage for which the library is replaced.
    if let Err(error) = locked.await
        && error.as_database_error().and_then(|error| error.code()).as_deref() == Some(BUSY)
    {
        return Err(Error::Backup(format!("the library at {} is in use", library.display())));
    }
    remove(&beside(library, "-wal")).await?;
    remove(&beside(library, "-shm")).await
}

/// Gives a finished copy its name, after its bytes are on the disk.
async fn put_in_place(part: &Path, file: &Path) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let put = async {
        tokio::fs::File::open(part).await?.sync_all().await?;
        tokio::fs::rename(part, file).await?;
        tokio::fs::File::open(folder).await?.sync_all().await
    };
    put.await.map_err(|error| Error::File("write the copy", error))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

async fn exists(file: &Path) -> Result<bool> {
    tokio::fs::try_exists(file).await.map_err(|error| Error::File("look for the file", error))
}

async fn remove(file: &Path) -> Result<()> {
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File("remove a file", error))
        }
        _ => Ok(()),
    }
}
