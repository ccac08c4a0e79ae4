//! Reads per second of what is read most.

use anyhow::{Context as _, Result, bail, ensure};

use crate::lab::Lab;
use crate::library::{json_list, set_up};
use crate::load::{CONNECTIONS, Connection, Script, request, round};
use crate::table::{head, median, millis, rate, row};
use crate::{Options, fixed};

const POPULAR: &str = "/api/v1/resources/popular";

/// The shortest list of popular resources that is no smaller than a fixed body, and its length.
async fn popular(connection: &mut Connection, fixed: usize) -> Result<(String, usize)> {
    for limit in 1..=100 {
        let path = format!("{POPULAR}?limit={limit}");
        let (status, body) = connection.exchange(&request("GET", &path, None, None)).await?;
        ensure!(status == 200, "{status}");
        if body.len() >= fixed {
            return Ok((path, body.len()));
        }
    }
    bail!("no list of popular resources has {fixed} bytes")
}

/// Where the site's style sheet is, a fixed body of its own, and how long that is.
async fn style_sheet(connection: &mut Connection) -> Result<(String, usize)> {
    let (_, page) = connection.exchange(&request("GET", "/", None, None)).await?;
    let page = String::from_utf8_lossy(page).into_owned();
    let path = page.split('"').find(|part| part.ends_with(".css")).context("the page has no style sheet")?;
    let (status, body) = connection.exchange(&request("GET", path, None, None)).await?;
    ensure!(status == 200, "{status}");
    Ok((path.to_owned(), body.len()))
}

pub(crate) async fn measure(lab: &Lab, options: &Options) -> Result<()> {
    for engine in &options.engines {
        let settings = lab.site(*engine, "reads")?;
        lab.import(&settings, "json", &json_list(3_000))?;
        let site = lab.serve(&settings)?;
        set_up(site.at).await?;
        let mut connection = Connection::open(site.at).await?;
        let (sheet, fixed_length) = style_sheet(&mut connection).await?;
        let (path, length) = popular(&mut connection, fixed_length).await?;
        let bare = fixed::start(length)?;
        let names = [
            format!("`{path}`, {length} bytes"),
            format!("the same server, a fixed body of {fixed_length} bytes"),
            "the same server, `/healthz`".to_owned(),
            format!("axum alone, a fixed body of {length} bytes"),
        ];
        let mut scripts = [path.as_str(), &sheet, "/healthz", &path].map(|path| {
            let request = request("GET", path, None, None);
            (0..CONNECTIONS).map(|_| Script::of(vec![request.clone()])).collect::<Vec<_>>()
        });
        let servers = [site.at, site.at, site.at, bare.at];
        let (mut rates, mut p99) = ([const { Vec::new() }; 4], [const { Vec::new() }; 4]);
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
