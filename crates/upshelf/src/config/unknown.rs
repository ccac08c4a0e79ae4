use clap::Command;

/// What the project's own tests and scripts are told goes by such names too.
const OF_TESTS: &str = "UPSHELF_TEST_";

/// Finds the names that look like settings and are none of `program`'s: a slip that would otherwise change nothing.
pub(crate) fn unknown(program: &Command, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_known = |name: &str| {
        program.get_arguments().filter_map(|arg| arg.get_env()).any(|known| known.to_str() == Some(name))
    };
    let is_meant = |name: &str| name.starts_with(setting!("")) && !name.starts_with(OF_TESTS);
    let mut unknown: Vec<String> =
        names.into_iter().filter(|name| is_meant(name) && !is_known(name)).collect();
    unknown.sort_unstable();
    unknown
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn only_what_looks_like_a_setting_and_is_none_is_unknown() {
        let program = Command::new("upshelf").arg(Arg::new("addr").long("addr").env("UPSHELF_ADDR"));
        let names = ["UPSHELF_LISTEN", "PATH", "UPSHELF_ADDR", "UPSHELF_ADDRESS", "UPSHELF_TEST_REDIS_URL"];
        assert_eq!(unknown(&program, names.map(str::to_owned)), ["UPSHELF_ADDRESS", "UPSHELF_LISTEN"]);
    }
}
