use jiff::{SignedDuration, Timestamp};

/// How long things live, and for whom tokens are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The `iss` of access tokens: who made them.
    pub issuer: String,
    /// The `aud` of access tokens: who may accept them. A token for another audience is refused.
    pub audience: String,
    /// How long an access token is valid, 7 days by default; never longer than its session.
    pub access_ttl: SignedDuration,
    /// How long a session lasts from the sign-in on, 30 days by default. Refreshing does not prolong it
    /// (NIST SP 800-63B asks for a new sign-in at least every 30 days).
    pub refresh_ttl: SignedDuration,
    /// How long a session may be unused before it ends, 14 days by default.
    pub idle_ttl: SignedDuration,
    /// How long a replaced refresh token still yields its successor, 30 s by default: tabs that refresh at once.
    pub reuse_grace: SignedDuration,
    /// How long this process may believe that a session is alive without asking anybody, 5 s by default.
    ///
    /// It is the longest time in which a revocation made by another process can go unnoticed.
    pub trust_ttl: SignedDuration,
    /// With Redis, how long its word about an open session counts after the vault gave it, 60 s by default, by the clock
    /// of Redis; then the vault is asked again. This includes `trust_ttl`, for which this process then remembers it.
    ///
    /// It is how late the end of a session can be noticed when the process that ended it was cut off from Redis and the
    /// others were not.
    pub confirm_every: SignedDuration,
    /// How often the use of a session is written to the vault, every 15 min by default.
    pub touch_every: SignedDuration,
    /// How long a signing key signs, 30 days by default.
    pub key_life: SignedDuration,
    /// How many sessions and tokens this process remembers, 10,000 by default; room for them (some 60 bytes each) is
    /// taken at once.
    pub remembered: usize,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: i64 = 24;
        Self {
            issuer: "upshelf".to_owned(),
            audience: "upshelf".to_owned(),
            access_ttl: SignedDuration::from_hours(7 * DAY),
            refresh_ttl: SignedDuration::from_hours(30 * DAY),
            idle_ttl: SignedDuration::from_hours(14 * DAY),
            reuse_grace: SignedDuration::from_secs(30),
            trust_ttl: SignedDuration::from_secs(5),
            confirm_every: SignedDuration::from_secs(60),
            touch_every: SignedDuration::from_mins(15),
            key_life: SignedDuration::from_hours(30 * DAY),
            remembered: 10_000,
        }
    }
}

impl Settings {
    /// Gives the `hardened` profile: access tokens of 15 minutes, everything else as by default.
    pub fn hardened() -> Self {
        Self { access_ttl: SignedDuration::from_mins(15), ..Self::default() }
    }
}

/// The end of something that begins now; with a setting of thousands of years, the end of time.
pub(crate) fn end_of(ttl: SignedDuration, now: Timestamp) -> Timestamp {
    now.checked_add(ttl).unwrap_or(Timestamp::MAX)
}
