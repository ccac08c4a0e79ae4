//! How soon a site is there, and what it takes to be there.

use std::time::Duration;

use anyhow::Result;

use crate::Options;
use crate::lab::Lab;
use crate::library::{json_list, markdown_list, set_up};
use crate::load::{Connection, request};
use crate::table::{head, median, millis, row};

/// How often it is started.
const STARTS: usize = 15;
/// What an idle site has behind it: its start, a few pages, and some time for what runs in the background.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) async fn measure(lab: &Lab, options: &Options) -> Result<()> {
    head(
        "A library of 3,000 resources",
        &[
            "database",
            "ready after (median)",
            "ready after (slowest)",
            "resident, idle",
            "Markdown of 3,000 imported in",
        ],
    );
    for engine in &options.engines {
        let imported = lab.import(&lab.site(*engine, "markdown")?, "markdown", &markdown_list(3_000))?;
        let settings = lab.site(*engine, "startup")?;
        lab.import(&settings, "json", &json_list(3_000))?;
        set_up(lab.serve(&settings)?.at).await?;
        let mut ready = Vec::with_capacity(STARTS);
        for _ in 0..STARTS {
            let server = lab.serve(&settings)?;
            // What says that it listens must answer.
            Connection::open(server.at).await?.exchange(&request("GET", "/healthz", None, None)).await?;
            ready.push(server.ready_after.as_secs_f64());
        }
        let slowest = ready.iter().copied().fold(0.0, f64::max);

        let server = lab.serve(&settings)?;
        let mut visitor = Connection::open(server.at).await?;
        for path in [
            "/",
            "/api/v1/categories",
            "/api/v1/resources",
            "/api/v1/resources/popular",
            "/api/v1/search?q=ba",
        ] {
            visitor.exchange(&request("GET", path, None, None)).await?;
        }
        drop(visitor);
        tokio::time::sleep(IDLE).await;
        row(&[
            engine.name().to_owned(),
            millis(Duration::from_secs_f64(median(&ready))),
            millis(Duration::from_secs_f64(slowest)),
            // In the unit of the aim, 40 MB.
            format!("{:.1} MB", server.memory()? * 1.048_576),
            millis(imported),
        ]);
    }
    Ok(())
}
