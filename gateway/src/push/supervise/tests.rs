use super::*;
use pretty_assertions::assert_eq;
use std::sync::Mutex;

/// Nothing is waited for that a test does not look at.
const HASTE: Patience = Patience {
    retry_delay: Duration::from_millis(1),
    retry_delay_max: Duration::from_millis(4),
    stable_after: Duration::from_secs(60),
    stop_grace: Duration::from_secs(60),
};

fn failed(reason: &str, retryable: bool) -> Ended {
    Ended::Failed { reason: reason.to_owned(), retryable }
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn tell(&self) -> impl Fn(PushState, &str) {
        |state, reason| self.0.lock().unwrap().push(format!("{state} {reason}").trim_end().to_owned())
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn pauses_double_up_to_their_bound() {
    for (attempt, seconds) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (u32::MAX, 60)] {
        let wanted = Duration::from_secs(seconds);
        for _ in 0..50 {
            let pause = pause(attempt, &PATIENCE);
            assert!((wanted.mul_f64(0.79)..=wanted.mul_f64(1.21)).contains(&pause), "{attempt}: {pause:?}");
        }
    }
}

#[tokio::test]
async fn faults_that_may_pass_are_tried_again() {
    let (told, stop) = (Told::default(), CancellationToken::new());
    let mut starts = 0;
    let run = || {
        starts += 1;
        let over = starts == 12;
        async move { if over { Ended::Completed } else { failed("away", true) } }
    };
    assert_eq!(supervise(run, &stop, told.tell(), &HASTE).await, Ended::Completed);
    assert_eq!(starts, 12);
    let wanted = ["running", "retrying away", "retrying away", "retrying away"];
    assert_eq!(told.all(), wanted, "of the first failure, the fifth and the tenth");
}

#[tokio::test]
async fn a_run_that_lasts_counts_as_running_again() {
    let (told, stop) = (Told::default(), CancellationToken::new());
    let patience = Patience { stable_after: Duration::from_millis(20), ..HASTE };
    let mut count = 0;
    let run = || {
        count += 1;
        let attempt = count;
        async move {
            if attempt == 2 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            failed(&format!("fault {attempt}"), attempt < 3)
        }
    };
    assert_eq!(supervise(run, &stop, told.tell(), &patience).await, failed("fault 3", false));
    assert_eq!(told.all(), ["running", "retrying fault 1", "running", "retrying fault 2"]);
}

#[tokio::test]
async fn what_cannot_pass_and_what_panics_is_final() {
    let (told, stop) = (Told::default(), CancellationToken::new());
    let ended = supervise(|| async { failed("wrong", false) }, &stop, told.tell(), &HASTE).await;
    assert_eq!(ended, failed("wrong", false));
    let ended = supervise(|| async { panic!("a defect") }, &stop, told.tell(), &HASTE).await;
    assert!(matches!(ended, Ended::Failed { retryable: false, .. }), "{ended:?}");
    assert_eq!(told.all(), ["running", "running"]);
}

#[tokio::test]
async fn a_stop_ends_a_pause_at_once_and_a_run_that_ignores_it_after_its_grace() {
    let (told, stop) = (Told::default(), CancellationToken::new());
    let patience =
        Patience { retry_delay: Duration::from_secs(60), stop_grace: Duration::from_millis(20), ..HASTE };
    let asking = stop.clone();
    let run = || {
        let asking = asking.clone();
        // Asked while it pauses: the run itself is over by then.
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            asking.cancel();
        });
        async { failed("away", true) }
    };
    let began = Instant::now();
    assert_eq!(supervise(run, &stop, told.tell(), &patience).await, Ended::Stopped);
    assert_eq!(supervise(std::future::pending::<Ended>, &stop, told.tell(), &patience).await, Ended::Stopped);
    assert!(began.elapsed() < Duration::from_secs(30), "it neither paused on nor waited for the run");
}

#[tokio::test]
async fn a_run_whose_api_ends_under_it_is_tried_again() {
    let (told, stop) = (Told::default(), CancellationToken::new());
    let mut count = 0;
    let run = || {
        count += 1;
        let ended = if count == 1 { Ended::Stopped } else { Ended::Completed };
        async move { ended }
    };
    assert_eq!(supervise(run, &stop, told.tell(), &HASTE).await, Ended::Completed);
    assert_eq!(told.all(), ["running", "retrying the API ended"]);
}
