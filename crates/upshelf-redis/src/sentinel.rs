//! Asking sentinels where the primary is.

use redis::{AsyncConnectionConfig, ErrorKind, RedisError, RedisResult, ServerErrorKind, from_redis_value};

use crate::Settings;
use crate::error::is_refusal;
use crate::link::client;

/// Asks one sentinel after the other, and believes the first that knows.
pub(crate) async fn primary(
    settings: &Settings,
    sentinels: &[(String, u16)],
    name: &str,
) -> RedisResult<(String, u16)> {
    let mut last = None;
    for (host, port) in sentinels {
        match ask(settings, host, *port, name).await {
            Ok(primary) => return Ok(primary),
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, %host, port, "a sentinel did not help");
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or_else(|| RedisError::from((ErrorKind::EmptySentinelList, "no sentinels to ask"))))
}

async fn ask(settings: &Settings, host: &str, port: u16, name: &str) -> RedisResult<(String, u16)> {
    // Sentinels are often open where the servers behind them are not.
    match ask_as(settings, host, port, name, false).await {
        Err(error) if is_refusal(&error) => ask_as(settings, host, port, name, true).await,
        answer => answer,
    }
}

async fn ask_as(
    settings: &Settings,
    host: &str,
    port: u16,
    name: &str,
    is_signed_in: bool,
) -> RedisResult<(String, u16)> {
    let limit = settings.connect_timeout.min(settings.command_timeout);
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(Some(limit));
    let info = settings.address.info_of_sentinel(host, port, is_signed_in);
    let mut link = client(settings, info)?.get_multiplexed_async_connection_with_config(&config).await?;
    let mut question = redis::cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = link.send_packed_command(&question).await?.extract_error()?;
    let known: Option<(String, u16)> = from_redis_value(answer)?;
    known.ok_or_else(|| {
        RedisError::from((
            ErrorKind::Server(ServerErrorKind::MasterDown),
            "the sentinels know no primary of this name",
        ))
    })
}
