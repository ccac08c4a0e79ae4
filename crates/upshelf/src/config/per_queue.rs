use std::fmt::Display;
use std::str::FromStr;

use upshelf_catalog::QUEUES;

/// A value for all queues, and others for some: `10/s,analytics=100/s`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PerQueue<T> {
    all: T,
    some: Vec<(&'static str, T)>,
}

impl<T: Clone> PerQueue<T> {
    pub(super) fn of(&self, queue: &str) -> T {
        self.some.iter().find(|(name, _)| *name == queue).map_or(&self.all, |(_, value)| value).clone()
    }
}

impl<T: FromStr<Err: Display> + Clone> FromStr for PerQueue<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse =
            |value: &str| value.trim().parse::<T>().map_err(|error| format!("{:?}: {error}", value.trim()));
        let mut parts = text.split(',').map(str::trim);
        let all = parts
            .next()
            .filter(|first| !first.contains('='))
            .ok_or("it begins with the value for all queues")?;
        let all = parse(all)?;
        let some = parts
            .map(|part| {
                let (name, value) = part.split_once('=').ok_or(format!("{part:?} is not QUEUE=VALUE"))?;
                let name = QUEUES.into_iter().find(|queue| *queue == name.trim()).ok_or(format!(
                    "there is no queue {:?}; the queues are {}",
                    name.trim(),
                    QUEUES.join(", ")
                ))?;
                Ok((name, parse(value)?))
            })
            .collect::<Result<_, String>>()?;
        Ok(PerQueue { all, some })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_its_own_wins() {
        let given: PerQueue<u16> = "5, email=2".parse().expect("it is in order");
        assert_eq!((given.of("email"), given.of("cleanup")), (2, 5));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!("5,mail=2".parse::<PerQueue<u16>>().is_err_and(|error| error.contains("no queue \"mail\"")));
        assert!("email=2".parse::<PerQueue<u16>>().is_err());
        assert!("5,email".parse::<PerQueue<u16>>().is_err());
        assert!("five".parse::<PerQueue<u16>>().is_err());
    }
}
