//! Every broker of the contract at once, each with a gateway of its own: messages are produced beside it and posted through it,
//! readers of every level come back when they lose their stream, and one fault follows the other. At the end the ledger says
//! who got what, and a line through the gateway's memory whether it grows.

use crate::contract::reader::ways;
use crate::contract::scene::{POST, Scene};
use crate::contract::subject::Subject;
use crate::contract::subjects;
use crate::harness::chaos::Mode;
use crate::harness::client::http;
use crate::harness::wait::be_slow;
use crate::slope::Samples;
use definition::api::Qos;
use definition::limits::SHARED_FETCH_BUFFER_MAX_BYTES;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

/// Between two ticks; each produces and posts.
const TICK: Duration = Duration::from_millis(200);
/// Messages per tick, produced beside the gateway.
const PRODUCED: usize = 10;
/// Bytes of each message that is produced, beside its id.
const MESSAGE_BYTES: usize = 1_000;
/// Messages per call while the buffers of the gateway are filled.
const FILL: usize = 500;
/// Posts per tick.
const POSTED: usize = 2;
/// Posts that may be without an answer; no more are sent then.
const UNANSWERED_MAX: usize = 40;
/// Between two faults.
const FAULT_EVERY: Duration = Duration::from_secs(12);
/// How long the link stalls or refuses.
const DOWN: Duration = Duration::from_secs(4);
/// Between two samples of the memory.
const SAMPLE_EVERY: Duration = Duration::from_secs(2);
/// Readers at none beside the one that each level has.
const AUDIENCE: usize = 20;
/// A gateway that grows faster than this leaks, KiB per minute. Shorter runs than `SLOPE_MINUTES` do not say so.
const SLOPE_MAX_KIB: f64 = 1024.0;
const SLOPE_MINUTES: f64 = 10.0;

/// Runs producers, readers and faults on every broker and prints what became of the messages.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long messages flow.
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Only these brokers, by their names in the report; all of them by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Cut,
    Stall,
    Refuse,
    Leave,
    Redeploy,
    Stop,
    Kill,
}

/// In turn. A stop and a kill are dear, so the cheap ones stand between them.
const FAULTS: [Fault; 8] = [
    Fault::Cut,
    Fault::Stall,
    Fault::Leave,
    Fault::Stop,
    Fault::Redeploy,
    Fault::Refuse,
    Fault::Cut,
    Fault::Kill,
];

/// A line of the report and whether the promise was kept.
type Line = (String, bool);

pub(crate) async fn run(args: Args) -> ExitCode {
    // The futures of a scene stay on this thread: what is heavy runs in processes of its own.
    LocalSet::new().run_until(run_all(args)).await
}

async fn run_all(args: Args) -> ExitCode {
    let length = Duration::from_secs_f64(args.minutes * 60.0);
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut running = JoinSet::new();
    macro_rules! subjects {
        ($($name:literal: $subject:ty,)+) => { $(
            if wanted($name) {
                running.spawn_local(soak::<$subject>($name, length));
            }
        )+ };
    }
    subjects! {
        "kafka": subjects::kafka::Kafka,
        "mqtt5": subjects::mosquitto::Mqtt5,
        "rabbitmq": subjects::rabbitmq::RabbitMq,
        "solace-amqp": subjects::solace::Solace<false>,
        "solace-mqtt": subjects::solace::Solace<true>,
    }
    if running.is_empty() {
        println!("none of these brokers exists: {}", args.only.join(", "));
        return ExitCode::FAILURE;
    }
    let mut kept = true;
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(lines) => {
                for (line, good) in lines {
                    println!("{}  {line}", if good { "kept  " } else { "BROKEN" });
                    kept &= good;
                }
            }
            Err(error) => {
                println!("BROKEN  a broker's run ended early: {error}");
                kept = false;
            }
        }
    }
    println!("{}", if kept { "Every promise was kept." } else { "Promises were broken." });
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn soak<S: Subject + 'static>(name: &'static str, length: Duration) -> Vec<Line> {
    let mut scene = Scene::<S>::start().await;
    for way in ways(S::ID).into_iter().filter(|way| way.qos == Qos::None) {
        for number in 0..AUDIENCE {
            scene.join(way, &format!("audience-{number}")).await;
        }
    }
    scene.alive().await;
    println!("{name}: {} readers get messages", scene.readers.len());
    // Shared sources keep so much for slow readers. A gateway grows until it has it, which is no leak.
    for _ in 0..SHARED_FETCH_BUFFER_MAX_BYTES / MESSAGE_BYTES / FILL {
        scene.produce_large(FILL, MESSAGE_BYTES).await;
    }
    scene.healed().await;
    println!("{name}: the buffers are full");
    let (begun, mut memory, mut posts) = (Instant::now(), Samples::default(), Posts::default());
    let (mut next_fault, mut next_sample, mut faults) = (FAULT_EVERY, Duration::ZERO, 0);
    while begun.elapsed() < length {
        tick(&mut scene, &mut posts).await;
        if begun.elapsed() >= next_sample {
            memory.add(begun.elapsed(), scene.gateway().process.memory_bytes());
            next_sample = begun.elapsed() + SAMPLE_EVERY;
        }
        if begun.elapsed() >= next_fault && begun.elapsed() + FAULT_EVERY < length {
            let fault = FAULTS[faults % FAULTS.len()];
            faults += 1;
            println!("{name}: {:3.0} s, {fault:?}", begun.elapsed().as_secs_f64());
            inflict(&mut scene, &mut posts, fault, faults as u64).await;
            next_fault = begun.elapsed() + FAULT_EVERY;
        }
    }
    posts.drain(&mut scene, 0).await;
    scene.healed().await;
    let mut lines = report(name, &scene);
    lines.push(posts.said(name));
    lines.push(growth(name, &memory, begun.elapsed(), faults));
    lines
}

/// Produces and posts a little.
async fn tick<S: Subject>(scene: &mut Scene<S>, posts: &mut Posts) {
    scene.produce_large(PRODUCED, MESSAGE_BYTES).await;
    posts.send(scene).await;
    be_slow(TICK).await;
}

async fn inflict<S: Subject>(scene: &mut Scene<S>, posts: &mut Posts, fault: Fault, number: u64) {
    match fault {
        Fault::Cut => scene.subject.chaos().cut(),
        Fault::Stall | Fault::Refuse => {
            scene.subject.chaos().set(if matches!(fault, Fault::Stall) { Mode::Stall } else { Mode::Refuse });
            if matches!(fault, Fault::Refuse) {
                scene.subject.chaos().cut();
            }
            let begun = Instant::now();
            while begun.elapsed() < DOWN {
                tick(scene, posts).await;
            }
            scene.subject.chaos().set(Mode::Pass);
        }
        Fault::Leave => {
            for reader in &mut scene.readers {
                reader.leave().await;
            }
            tick(scene, posts).await;
            scene.readers.iter_mut().for_each(crate::contract::reader::Reader::come_back);
        }
        Fault::Redeploy => scene.redeploy(number + 1).await,
        Fault::Stop => {
            scene.subject.stop().await;
            scene.restart_broker().await;
        }
        Fault::Kill if S::SURVIVES_KILL => {
            if S::FORGETS_SETTLEMENTS {
                // Nothing is settled at that moment, so that what is repeated is the gateway's doing.
                posts.drain(scene, 0).await;
                scene.healed().await;
            }
            scene.subject.kill().await;
            scene.restart_broker().await;
        }
        // What it loses by itself is no fault of the gateway.
        Fault::Kill => scene.subject.chaos().cut(),
    }
}

fn report<S: Subject>(name: &str, scene: &Scene<S>) -> Vec<Line> {
    let line = |(reader, verdict): (&crate::contract::reader::Reader, crate::contract::ledger::Verdict)| {
        let line = format!("{name:12} {:20} {verdict}", reader.target.identifier);
        if S::REPEATS_SETTLED && reader.qos() == Qos::AtMostOnce {
            return (
                format!("{line} (this broker repeats; nothing is promised)"),
                verdict.strange.is_empty(),
            );
        }
        (line, verdict.keeps(reader.qos()))
    };
    // The audience is one line when all is well with it: at none there is nothing to promise.
    scene
        .verdicts()
        .filter(|(reader, _)| !reader.target.identifier.starts_with("audience"))
        .map(line)
        .collect()
}

fn growth(name: &str, memory: &Samples, length: Duration, faults: usize) -> Line {
    let slope = memory.slope_kib_per_minute();
    let long = length.as_secs_f64() / 60.0 >= SLOPE_MINUTES;
    let note = if long { "" } else { " (too short a run to judge it)" };
    let line = format!(
        "{name:12} gateway              {:.0} MiB, slope {slope:+.0} KiB per minute{note}, {faults} faults",
        memory.last_mib()
    );
    (line, !long || slope <= SLOPE_MAX_KIB)
}

/// Posts that wait for their answers, and what was answered so far.
#[derive(Default)]
struct Posts {
    open: JoinSet<(String, bool)>,
    acknowledged: usize,
    unacknowledged: usize,
}

impl Posts {
    /// What was answered 202 counts as produced: the readers at at-least-once say whether the broker has it.
    fn said(&self, name: &str) -> Line {
        let Posts { acknowledged, unacknowledged, .. } = self;
        let line = format!(
            "{name:12} posts                acknowledged {acknowledged}, not acknowledged {unacknowledged}"
        );
        (line, *acknowledged > 0)
    }

    async fn send<S: Subject>(&mut self, scene: &mut Scene<S>) {
        for _ in 0..POSTED {
            let (id, url) = (scene.ledger.one(), scene.gateway().http(POST));
            self.open.spawn(async move {
                let answer = http().post(url).body(id.clone()).send().await;
                (id, answer.is_ok_and(|answer| answer.status() == 202))
            });
        }
        self.drain(scene, UNANSWERED_MAX).await;
    }

    /// Writes down what was answered, until no more than `left` wait.
    async fn drain<S: Subject>(&mut self, scene: &mut Scene<S>, left: usize) {
        loop {
            let ended =
                if self.open.len() > left { self.open.join_next().await } else { self.open.try_join_next() };
            let Some(ended) = ended else { return };
            let (id, accepted) = ended.expect("a post does not fail");
            *(if accepted { &mut self.acknowledged } else { &mut self.unacknowledged }) += 1;
            scene.ledger.answered(id, accepted);
        }
    }
}
