//! HTTP: the API, the pages, the feeds.
