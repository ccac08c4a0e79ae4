use std::io::BufRead as _;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use upshelf_catalog::NewAccount;
use upshelf_store::Role;

use crate::config::Config;
use crate::site::Site;

/// What to do about members.
#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    /// Make an account
    #[command(
        after_help = "Example: echo \"$PASSWORD\" | upshelf member create --role admin --username ada \
        --email ada@example.org --password-stdin"
    )]
    Create {
        /// What the member may do: member, curator or admin
        #[arg(long, default_value = "member", value_parser = role)]
        role: Role,
        /// The name
        #[arg(long)]
        username: String,
        /// The mail address
        #[arg(long)]
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| "it must be one of member, curator, admin".to_owned())
}

pub(super) async fn run(member: Member, config: &Config) -> Result<()> {
    let Member::Create { role, username, email, password_stdin: _ } = member;
    let mut password = String::new();
    std::io::stdin().lock().read_line(&mut password).context("could not read the password")?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        bail!("the password is the first line of standard input, and that is empty");
    }
    let site = Site::open(config).await?;
    let made = site.catalog.create_member(NewAccount { username, email, password }, role).await;
    site.close().await;
    let made = made?;
    println!("{} {} {}", made.id, made.username, made.role);
    Ok(())
}
