//! One contract for every broker: the same cases run against each subject's own broker, behind a fault proxy, at every level
//! of quality of service that the matrix allows. A ledger of what was produced and what clients got decides: at-least-once
//! loses nothing, at-most-once repeats nothing, and what was answered 202 is in the broker.
//!
//! Adding a broker is one file in `subjects/` and one line in the list at the end of this file.

pub(crate) mod cases;
pub(crate) mod ledger;
pub(crate) mod reader;
pub(crate) mod scene;
pub(crate) mod subject;
pub(crate) mod subjects;

/// A test per subject and case, named `contract::<subject>::<case>`.
macro_rules! contract {
    ($($name:ident: $subject:ty,)+) => { $(
        mod $name {
            contract!(@cases $subject:
                publish::is_accepted_only_after_the_broker_confirmed,
                publish::what_was_accepted_survives_cuts_and_restarts,
                link::cuts_lose_and_repeat_nothing,
                link::a_broken_link_is_no_busy_loop,
                restart::readers_go_on_when_the_broker_is_back,
                client::what_a_client_did_not_take_comes_back,
                client::a_slow_client_stops_the_pull,
                gateway::a_redeployment_in_flight_loses_nothing,
                gateway::a_shutdown_in_flight_loses_nothing,
                levels::an_absent_reader_finds_what_came_meanwhile,
                levels::readers_share_as_their_level_says,
            );
        }
    )+ };
    (@cases $subject:ty: $($file:ident::$case:ident,)+) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            crate::contract::cases::$file::$case::<$subject>().await;
        }
    )+ };
}

contract! {
    kafka: crate::contract::subjects::kafka::Kafka,
    rabbitmq: crate::contract::subjects::rabbitmq::RabbitMq,
    mqtt5: crate::contract::subjects::mosquitto::Mqtt5,
    solace_amqp: crate::contract::subjects::solace::Solace<false>,
    solace_mqtt: crate::contract::subjects::solace::Solace<true>,
}
