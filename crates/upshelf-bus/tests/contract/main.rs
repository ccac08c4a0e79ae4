//! What every part of the bus promises.

use bytes::Bytes;
use upshelf_bus::{Buffer, Bus, Carrier, Event, Local, Subscription};
use upshelf_testkit::contract;

mod outages;
mod parts;
mod shared;

use parts::{message, next};

/// Small enough that a test can fill it.
const SMALL: Buffer = Buffer { messages: 4, bytes: 64 };

/// Large enough that no test fills it.
const LARGE: Buffer = Buffer { messages: 100_000, bytes: 1 << 24 };

async fn listen(bus: &impl Carrier, channel: &str) -> Subscription {
    bus.subscribe(channel).await.expect("subscribing works on every part")
}

async fn listen_pattern(bus: &impl Carrier, pattern: &str) -> Subscription {
    bus.subscribe_pattern(pattern).await.expect("subscribing works on every part")
}

async fn publish(bus: &impl Carrier, channel: &str, payload: &str) {
    bus.publish(channel, Bytes::copy_from_slice(payload.as_bytes()))
        .await
        .expect("publishing works on every part");
}

contract! {
    parts {
        local => Local::new(SMALL),
        bus => Bus::local_with(SMALL),
        shared => parts::shared(SMALL).await,
        together => parts::together(SMALL).await,
        cluster => parts::cluster(SMALL).await,
        degraded => parts::degraded(SMALL).await,
        restored => parts::restored(SMALL).await,
    }

    async fn a_message_reaches_everybody_on_its_channel(bus: &impl Carrier) {
        let mut ada = listen(bus, "notifications:1").await;
        let mut bob = listen(bus, "notifications:1").await;
        publish(bus, "notifications:1", "hello").await;
        assert_eq!(next(&mut ada).await, message("notifications:1", "hello"));
        assert_eq!(next(&mut bob).await, message("notifications:1", "hello"));
    }

    async fn a_message_reaches_nobody_else(bus: &impl Carrier) {
        let mut other = listen(bus, "notifications:2").await;
        let mut pattern = listen_pattern(bus, "resource:*").await;
        publish(bus, "notifications:1", "not for you").await;
        publish(bus, "notifications:2", "for you").await;
        publish(bus, "resource:updates:7", "for you").await;
        assert_eq!(next(&mut other).await, message("notifications:2", "for you"));
        assert_eq!(next(&mut pattern).await, message("resource:updates:7", "for you"));
    }

    async fn a_pattern_hears_every_channel_it_covers(bus: &impl Carrier) {
        let mut all = listen_pattern(bus, "notifications:*").await;
        publish(bus, "notifications:1", "one").await;
        publish(bus, "notifications:2", "two").await;
        assert_eq!(next(&mut all).await, message("notifications:1", "one"));
        assert_eq!(next(&mut all).await, message("notifications:2", "two"));
    }

    async fn a_channel_name_with_stars_is_only_a_name(bus: &impl Carrier) {
        let mut literal = listen(bus, "news:*").await;
        publish(bus, "news:today", "no").await;
        publish(bus, "news:*", "yes").await;
        assert_eq!(next(&mut literal).await, message("news:*", "yes"));
    }

    async fn messages_keep_the_order_they_were_published_in(bus: &impl Carrier) {
        let mut exact = listen(bus, "votes").await;
        let mut pattern = listen_pattern(bus, "v?tes").await;
        for n in 0..4 {
            publish(bus, "votes", &n.to_string()).await;
        }
        for listener in [&mut exact, &mut pattern] {
            for n in 0..4 {
                assert_eq!(next(listener).await, message("votes", &n.to_string()));
            }
        }
    }

    async fn what_was_published_before_subscribing_is_not_heard(bus: &impl Carrier) {
        publish(bus, "votes", "early").await;
        let mut late = listen(bus, "votes").await;
        publish(bus, "votes", "in time").await;
        assert_eq!(next(&mut late).await, message("votes", "in time"));
    }

    async fn a_slow_subscriber_is_told_once_to_resync_and_then_hears_what_is_new(bus: &impl Carrier) {
        let mut slow = listen(bus, "votes").await;
        let mut quick = listen(bus, "votes").await;
        for n in 0..100 {
            publish(bus, "votes", &n.to_string()).await;
            assert_eq!(next(&mut quick).await, message("votes", &n.to_string()), "the slow one slows nobody");
        }
        assert_eq!(next(&mut slow).await, Some(Event::Resync));
        // 100 messages through a buffer of 4: the last ones after the last gap are still there, in order.
        for n in 96..100 {
            assert_eq!(next(&mut slow).await, message("votes", &n.to_string()));
        }
        publish(bus, "votes", "next").await;
        assert_eq!(next(&mut slow).await, message("votes", "next"));
    }

    async fn every_lost_stretch_has_its_own_resync(bus: &impl Carrier) {
        let mut slow = listen(bus, "votes").await;
        let mut quick = listen(bus, "votes").await;
        for _ in 0..2 {
            for n in 0..5 {
                publish(bus, "votes", &n.to_string()).await;
                assert_eq!(next(&mut quick).await, message("votes", &n.to_string()), "it has arrived");
            }
            assert_eq!(next(&mut slow).await, Some(Event::Resync));
            assert_eq!(next(&mut slow).await, message("votes", "4"));
        }
    }

    async fn unread_bytes_are_bounded_too(bus: &impl Carrier) {
        let mut slow = listen(bus, "votes").await;
        let mut quick = listen(bus, "votes").await;
        for letter in ["a", "b", "c"] {
            publish(bus, "votes", &letter.repeat(30)).await;
            assert_eq!(next(&mut quick).await, message("votes", &letter.repeat(30)), "it has arrived");
        }
        assert_eq!(next(&mut slow).await, Some(Event::Resync));
        assert_eq!(next(&mut slow).await, message("votes", &"c".repeat(30)));
    }

    async fn a_payload_larger_than_the_whole_buffer_is_a_gap(bus: &impl Carrier) {
        let mut listener = listen(bus, "votes").await;
        publish(bus, "votes", &"x".repeat(65)).await;
        publish(bus, "votes", "small").await;
        assert_eq!(next(&mut listener).await, Some(Event::Resync));
        assert_eq!(next(&mut listener).await, message("votes", "small"));
    }

    async fn a_cancelled_recv_loses_nothing(bus: &impl Carrier) {
        let mut listener = listen(bus, "votes").await;
        {
            let mut waiting = std::pin::pin!(listener.recv());
            assert!(futures_util::poll!(waiting.as_mut()).is_pending());
            publish(bus, "votes", "one").await;
        }
        assert_eq!(next(&mut listener).await, message("votes", "one"));
    }

    async fn an_empty_payload_is_a_message(bus: &impl Carrier) {
        let mut listener = listen(bus, "votes").await;
        publish(bus, "votes", "").await;
        assert_eq!(next(&mut listener).await, message("votes", ""));
    }
}

contract! {
    threads parts {
        local => Local::new(LARGE),
        together => parts::together(LARGE).await,
        cluster => parts::cluster(LARGE).await,
    }

    async fn racing_publishers_are_heard_in_one_order_by_all(bus: impl Carrier + Clone + 'static) {
        let mut listeners = [listen(&bus, "votes").await, listen_pattern(&bus, "*").await];
        let mut publishers = tokio::task::JoinSet::new();
        for publisher in 0..4 {
            let bus = bus.clone();
            publishers.spawn(async move {
                for n in 0..500 {
                    publish(&bus, "votes", &format!("{publisher} {n}")).await;
                }
            });
        }
        publishers.join_all().await;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..2000 {
            first.push(next(&mut listeners[0]).await);
            second.push(next(&mut listeners[1]).await);
        }
        assert_eq!(first, second);
        assert_eq!(listeners.map(|mut listener| listener.try_recv()), [None, None]);
        // A task's own messages stay in its order.
        for publisher in 0..4 {
            let own: Vec<_> = (0..500).map(|n| message("votes", &format!("{publisher} {n}"))).collect();
            let heard = first.iter().filter(|event| own.contains(event));
            assert!(heard.eq(&own), "publisher {publisher}");
        }
    }
}

#[tokio::test]
async fn subscriptions_end_with_the_bus() {
    let bus = Bus::local();
    let mut listener = bus.subscribe("votes").await;
    bus.publish("votes", "last words").await;
    let waiting = async move {
        assert_eq!(next(&mut listener).await, message("votes", "last words"));
        assert_eq!(next(&mut listener).await, None);
    };
    tokio::join!(waiting, async move { drop(bus) });
}

#[tokio::test]
async fn json_is_written_once_and_shared_by_all() {
    let bus = Bus::local();
    let mut ada = bus.subscribe("votes").await;
    let mut bob = bus.subscribe("votes").await;
    bus.publish_json("votes", &[1, 2]).await.expect("numbers have a JSON form");
    let (Some(Event::Message { payload: one, .. }), Some(Event::Message { payload: two, .. })) =
        (next(&mut ada).await, next(&mut bob).await)
    else {
        panic!("both are subscribed")
    };
    assert_eq!(one, "[1,2]");
    assert_eq!(one.as_ptr(), two.as_ptr());
}

#[tokio::test]
async fn a_value_without_a_json_form_is_refused_and_not_published() {
    let bus = Bus::local();
    let mut ada = bus.subscribe("votes").await;
    let unwritable = std::collections::HashMap::from([(vec![1, 2], "a key that is no text")]);
    assert!(bus.publish_json("votes", &unwritable).await.is_err());
    assert_eq!(ada.try_recv(), None);
}
