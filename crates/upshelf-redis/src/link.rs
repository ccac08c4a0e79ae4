//! One connection, to a server or to a cluster.

use std::sync::Arc;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo, SingleNodeRoutingInfo};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, ProtocolVersion, PushInfo,
    RedisError, RedisResult, TlsCertificates, Value, from_redis_value,
};

use crate::{Place, Settings, sentinel};

/// A connection that many tasks share; cheap to clone.
#[derive(Clone)]
pub(crate) enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Writes of many tasks that wait at once share a system call; more than this are written in several.
const PIPELINE_BUFFER: usize = 2_048;
/// How often the client of a cluster follows redirections and lost nodes before it gives a command up.
const CLUSTER_RETRIES: u32 = 4;

/// Is told what comes unasked: messages, and the end of the connection.
pub(crate) type OnPush = Arc<dyn Fn(PushInfo) + Send + Sync>;

impl Link {
    /// Connects and signs in, once.
    ///
    /// The client's own time-outs (500 ms for a reply, 1 s to connect) are not used: each command has its own.
    pub(crate) async fn open(settings: &Settings, on_push: OnPush) -> RedisResult<Self> {
        let address = &settings.address;
        match address.place() {
            Place::Server(host, port) => Self::server(settings, address.info_of(host, *port), on_push).await,
            Place::Socket(path) => Self::server(settings, address.info_of_socket(path), on_push).await,
            Place::Sentinel(sentinels, name) => {
                let (host, port) = sentinel::primary(settings, sentinels, name).await?;
                let link = Self::server(settings, address.info_of(&host, port), on_push).await?;
                link.must_be_primary().await?;
                Ok(link)
            }
            Place::Cluster(nodes) => {
                let nodes = nodes.iter().map(|(host, port)| address.info_of(host, *port));
                let mut client = ClusterClientBuilder::new(nodes)
                    .connection_timeout(settings.connect_timeout)
                    .response_timeout(settings.command_timeout)
                    .overall_response_timeout(None)
                    .retries(CLUSTER_RETRIES)
                    .max_retry_wait(500)
                    .tcp_settings(tcp(settings))
                    .use_protocol(ProtocolVersion::RESP3)
                    .push_sender(move |push| {
                        on_push(push);
                        Ok::<(), redis::aio::SendError>(())
                    });
                if let Some(certificates) = certificates(settings)? {
                    client = client.certs(certificates);
                }
                Ok(Self::Cluster(client.build()?.get_async_connection().await?))
            }
        }
    }

    async fn server(settings: &Settings, info: ConnectionInfo, on_push: OnPush) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
            .set_push_sender(move |push| {
                on_push(push);
                Ok::<(), redis::aio::SendError>(())
            });
        let client = client(settings, info)?;
        Ok(Self::Server(client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    pub(crate) async fn command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Server(link) => link.send_packed_command(cmd).await,
            Self::Cluster(link) => link.req_packed_command(cmd).await,
        }
    }

    pub(crate) async fn pipeline(&mut self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let count = pipeline.len();
        match self {
            Self::Server(link) => link.send_packed_commands(pipeline, 0, count).await,
            Self::Cluster(link) => link.req_packed_commands(pipeline, 0, count).await,
        }
    }

    /// Asks whether the other side is there, every node of a cluster.
    pub(crate) async fn ping(&mut self) -> RedisResult<()> {
        let ping = redis::cmd("PING");
        match self {
            Self::Server(link) => link.send_packed_command(&ping).await?.extract_error().map(drop),
            Self::Cluster(link) => {
                let everywhere = RoutingInfo::MultiNode((
                    MultipleNodeRoutingInfo::AllMasters,
                    Some(ResponsePolicy::AllSucceeded),
                ));
                link.route_command(ping, everywhere).await?.extract_error().map(drop)
            }
        }
    }

    /// The primaries: one without an address for a server, all of a cluster.
    pub(crate) async fn primaries(&mut self) -> RedisResult<Vec<Node>> {
        let Self::Cluster(link) = self else { return Ok(vec![Node(None)]) };
        let slots = link.req_packed_command(redis::cmd("CLUSTER").arg("SLOTS")).await?;
        // Each: first slot, last slot, the primary (host, port, …), its replicas.
        let ranges: Vec<Vec<Value>> = from_redis_value(slots)?;
        let mut nodes = Vec::new();
        for range in ranges {
            let primary =
                range.into_iter().nth(2).ok_or((ErrorKind::Parse, "a range of slots without a primary"))?;
            let primary: Vec<Value> = from_redis_value(primary)?;
            let mut primary = primary.into_iter();
            let (Some(host), Some(port)) = (primary.next(), primary.next()) else {
                return Err((ErrorKind::Parse, "a primary without an address").into());
            };
            nodes.push(Node(Some((from_redis_value(host)?, from_redis_value(port)?))));
        }
        nodes.sort();
        nodes.dedup();
        Ok(nodes)
    }

    /// Sends a command to one primary.
    pub(crate) async fn command_at(&mut self, node: &Node, cmd: &Cmd) -> RedisResult<Value> {
        match (self, node) {
            (Self::Cluster(link), Node(Some((host, port)))) => {
                let there = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
                link.route_command(cmd.clone(), RoutingInfo::SingleNode(there)).await
            }
            (link, _) => link.command(cmd).await,
        }
    }

    /// Which life of the server this is: differs after every restart and every change of the primary.
    pub(crate) async fn life(&mut self) -> RedisResult<Arc<str>> {
        let mut lives = Vec::new();
        for node in self.primaries().await? {
            let info = self.command_at(&node, redis::cmd("INFO").arg("server")).await?;
            let info: String = from_redis_value(info.extract_error()?)?;
            let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
            lives.push(id.ok_or((ErrorKind::Parse, "a server without a run_id"))?.trim().to_owned());
        }
        lives.sort();
        Ok(lives.join(",").into())
    }

    /// Behind sentinels, checks that the server was not demoted meanwhile.
    pub(crate) async fn must_still_be_primary(&self, settings: &Settings) -> RedisResult<()> {
        match settings.address.place() {
            Place::Sentinel(..) => self.must_be_primary().await,
            _ => Ok(()),
        }
    }

    async fn must_be_primary(&self) -> RedisResult<()> {
        let role = self.clone().command(&redis::cmd("ROLE")).await?.extract_error()?;
        let role: Vec<Value> = from_redis_value(role)?;
        let role = role.into_iter().next().map(from_redis_value::<String>).transpose()?;
        match role.as_deref() {
            Some("master") => Ok(()),
            // As a write to it would say.
            _ => Err(RedisError::from((
                ErrorKind::Server(redis::ServerErrorKind::ReadOnly),
                "the sentinels named a server that is no primary any more",
            ))),
        }
    }
}

/// A primary, by its address in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node(Option<(String, u16)>);

pub(crate) fn client(settings: &Settings, info: ConnectionInfo) -> RedisResult<Client> {
    let info = info.set_tcp_settings(tcp(settings));
    match certificates(settings)? {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

fn certificates(settings: &Settings) -> RedisResult<Option<TlsCertificates>> {
    if !settings.address.is_tls() {
        return Ok(None);
    }
    // Fails when there is one already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let root_cert = settings.ca_file.as_ref().map(std::fs::read).transpose()?;
    Ok(root_cert.map(|root_cert| TlsCertificates { client_tls: None, root_cert: Some(root_cert) }))
}

fn tcp(settings: &Settings) -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(settings.keep_alive))
        // A server that vanished without a word is noticed by what it leaves unacknowledged: the time-out of a command
        // alone does not end a connection.
        .set_user_timeout(settings.command_timeout)
}
