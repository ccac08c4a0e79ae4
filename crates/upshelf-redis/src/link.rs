//! One connection, to a server or to a cluster.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, RedisResult, Value};

use crate::{Place, Settings};

/// A connection that many tasks share; cheap to clone.
#[derive(Clone)]
pub(crate) enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Writes of many tasks that wait at once share a system call; more than this are written in several.
const PIPELINE_BUFFER: usize = 2048;

impl Link {
    pub(crate) async fn open(settings: &Settings) -> RedisResult<Self> {
        match settings.address.place() {
            Place::Server(host, port) => Self::server(settings, settings.address.info_of(host, *port)).await,
            Place::Socket(path) => Self::server(settings, settings.address.info_of_socket(path)).await,
            Place::Sentinel(..) => Err((redis::ErrorKind::Client, "sentinels are not asked yet").into()),
            Place::Cluster(nodes) => {
                let nodes = nodes.iter().map(|(host, port)| settings.address.info_of(host, *port));
                let client = ClusterClientBuilder::new(nodes)
                    .connection_timeout(settings.connect_timeout)
                    .response_timeout(settings.command_timeout)
                    .tcp_settings(tcp(settings))
                    .use_protocol(ProtocolVersion::RESP3)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
            }
        }
    }

    async fn server(settings: &Settings, info: redis::ConnectionInfo) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.command_timeout))
            .set_pipeline_buffer_size(PIPELINE_BUFFER);
        let client = Client::open(info.set_tcp_settings(tcp(settings)))?;
        Ok(Self::Server(client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    pub(crate) async fn command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Server(link) => link.req_packed_command(cmd).await,
            Self::Cluster(link) => link.req_packed_command(cmd).await,
        }
    }

    pub(crate) async fn pipeline(&mut self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let count = pipeline.len();
        match self {
            Self::Server(link) => link.req_packed_commands(pipeline, 0, count).await,
            Self::Cluster(link) => link.req_packed_commands(pipeline, 0, count).await,
        }
    }
}

fn tcp(settings: &Settings) -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(settings.keep_alive))
        // A server that vanished without a word is noticed by what it leaves unacknowledged.
        .set_user_timeout(settings.command_timeout.max(Duration::from_secs(1)))
}
