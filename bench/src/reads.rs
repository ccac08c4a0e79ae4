//! Reads per second of what is read most.

use anyhow::{Result, ensure};

use crate::lab::Lab;
use crate::library::{json_list, set_up};
use crate::load::{CONNECTIONS, Connection, Script, request, round};
use crate::table::{head, median, millis, rate, row};
use crate::{Options, fixed};

const POPULAR: &str = "/api/v1/resources/popular";

pub(crate) async fn measure(lab: &Lab, options: &Options) -> Result<()> {
    for engine in &options.engines {
        let settings = lab.site(*engine, "reads")?;
        lab.import(&settings, "json", &json_list(3_000))?;
        let site = lab.serve(&settings)?;
        set_up(site.at).await?;
        let popular = request("GET", POPULAR, None, None);
        let mut connection = Connection::open(site.at).await?;
        let (status, body) = connection.exchange(&popular).await?;
        ensure!(status == 200, "{status}");
        let length = body.len();
        let fixed = fixed::start(length)?;
        let alive = request("GET", "/healthz", None, None);
        let names = [
            format!("reads of `{POPULAR}`"),
            format!("fixed body of {length} bytes"),
            "`/healthz`".to_owned(),
        ];
        let mut scripts = [&popular, &popular, &alive]
            .map(|request| (0..CONNECTIONS).map(|_| Script::of(vec![request.clone()])).collect::<Vec<_>>());
        let servers = [site.at, fixed.at, site.at];
        let (mut rates, mut p99) = ([const { Vec::new() }; 3], [const { Vec::new() }; 3]);
        for turn in 0..=options.rounds {
            for (which, at) in servers.into_iter().enumerate() {
                let round = round(at, &mut scripts[which], options.time).await?;
                // The first turn warms up.
                if turn > 0 {
                    rates[which].push(round.per_second);
                    p99[which].push(round.p99.as_secs_f64());
                }
            }
        }
        let best = median(&rates[1]);
        let title = format!("Reads, {}, {CONNECTIONS} connections", engine.name());
        head(&title, &["what", "per second", "of a fixed body", "p99"]);
        for (which, name) in names.into_iter().enumerate() {
            let per_second = median(&rates[which]);
            let p99 = std::time::Duration::from_secs_f64(median(&p99[which]));
            row(&[name, rate(per_second), format!("{:.2}", per_second / best), millis(p99)]);
        }
        println!("\nresident after that: {:.0} MiB", site.memory()?);
    }
    Ok(())
}
