//! The program `reproduce` with a Slurm that only writes down what it is asked.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with commands called as Slurm's, before all others on the path.
struct Slurm(tempfile::TempDir);

impl Slurm {
    fn new() -> Self {
        let slurm = Self(tempfile::tempdir().unwrap());
        // Job numbers count up from 101.
        let sbatch = "echo \"sbatch $*\" >> log; echo $((100 + $(grep -c ^sbatch log)))";
        slurm.command("sbatch", sbatch);
        slurm.command("scancel", "echo \"scancel $*\" >> log");
        slurm.command("squeue", "cat queue");
        slurm.queue("");
        slurm
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, name: &str, script: &str) {
        let path = self.folder().join(name);
        let folder = self.folder().display();
        std::fs::write(&path, format!("#!/bin/sh\ncd '{folder}'\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn queue(&self, jobs: &str) {
        std::fs::write(self.folder().join("queue"), jobs).unwrap();
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        let path = self.folder().join("log");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let seen = self.folder().join("seen");
        let before = std::fs::read_to_string(&seen).unwrap_or_default();
        std::fs::write(&seen, &text).unwrap();
        text.strip_prefix(&before).unwrap().lines().map(String::from).collect()
    }

    fn jobs(&self) -> PathBuf {
        self.folder().join("jobs it's")
    }

    fn reproduce(&self, words: &str) -> Output {
        let path = std::env::var("PATH").unwrap();
        Command::new(env!("CARGO_BIN_EXE_reproduce"))
            .args(["--scale=smoke", "--table=I", "--no-download"])
            .args(["--jobs".as_ref(), self.jobs().as_os_str()])
            .args(words.split_whitespace())
            .env("PATH", format!("{}:{path}", self.folder().display()))
            .output()
            .unwrap()
    }

    fn said(&self, words: &str) -> String {
        let output = self.reproduce(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn finish(&self, job: &str) {
        let reached = r#"{"study":"emoji-sd-smoke","done":9,"units":9,"unet_samples_left":0,
            "seconds_left":0.0,"finished":true}"#;
        std::fs::write(self.jobs().join(format!("progress/{job}.json")), reached).unwrap();
    }
}

#[test]
fn slurm_submits_all_jobs_then_what_is_left_of_them() {
    let slurm = Slurm::new();
    slurm.said("--slurm --array=4%2 --time=1:00:00");
    let script = |kind: &str| slurm.jobs().join(format!("slurm-{kind}.sh")).display().to_string();
    let after = |jobs: &str| format!("--dependency=afterok:{jobs} --kill-on-invalid-dep=yes");
    assert_eq!(
        slurm.asked(),
        [
            format!("sbatch --parsable {}", script("common")),
            format!("sbatch --parsable {} --array=1-4%2 {}", after("101"), script("shard")),
            format!("sbatch --parsable {} {}", after("101:102"), script("merge")),
        ]
    );
    let shard = std::fs::read_to_string(script("shard")).unwrap();
    assert!(shard.contains("#SBATCH --requeue\n") && shard.contains("#SBATCH --time=1:00:00\n"));

    slurm.queue("102_1|RUNNING|None\n102_2|PENDING|Resources\n103|PENDING|Dependency\n");
    slurm.finish("common");
    slurm.finish("shard-4");
    let status = slurm.said("--slurm-status");
    let lines: Vec<String> =
        status.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "common finished 9 units",
        "shard 1/4 running",
        "shard 2/4 pending (Resources)",
        "shard 3/4 not in the queue",
        "shard 4/4 finished 9 units",
        "merge pending (Dependency)",
        "2 of 6 jobs finished",
    ];
    assert_eq!(lines[..7], expected);

    slurm.said("--slurm --array=4%2 --time=1:00:00");
    assert_eq!(
        slurm.asked(),
        [
            format!("sbatch --parsable --array=3%2 {}", script("shard")),
            "scancel 103".into(),
            format!("sbatch --parsable {} {}", after("104:102_1:102_2"), script("merge")),
        ]
    );
    let queue =
        "102_1|RUNNING|None\n102_2|RUNNING|None\n104_3|RUNNING|None\n105|PENDING|Dependency";
    slurm.queue(queue);
    assert!(slurm.said("--slurm --array=4%2 --time=1:00:00").contains("nothing is left to submit"));
    assert_eq!(slurm.asked(), Vec::<String>::new());
    // Another command's jobs do not end up in the same folder.
    let error = slurm.reproduce("--slurm --array=4%2 --table=II").stderr;
    let error = String::from_utf8_lossy(&error);
    assert!(error.contains("--jobs names another folder"), "{error}");
}

#[test]
fn dry_run_of_slurm_writes_and_submits_nothing() {
    let slurm = Slurm::new();
    let said = slurm.said("--slurm --array=4%2 --dry-run --seconds-per-sample=0.1 --gres=gpu:1");
    assert!(said.contains("each of 4 shards") && said.contains("#SBATCH --gres=gpu:1"), "{said}");
    assert!(said.contains("sbatch --parsable --dependency=afterok:COMMON"), "{said}");
    assert!(slurm.asked().is_empty() && !slurm.jobs().exists());
}

#[test]
fn scripts_are_shell_and_run_a_copy_of_the_program() {
    let slurm = Slurm::new();
    slurm.said("--scripts --array=4%2");
    assert!(slurm.asked().is_empty());
    let scripts = ["run", "slurm-common", "slurm-shard", "slurm-merge", "parallel", "kubernetes"];
    for script in scripts {
        let path = slurm.jobs().join(format!("{script}.sh"));
        let checked = Command::new("bash").arg("-n").arg(&path).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    let run = slurm.jobs().join("run.sh");
    let nothing = Command::new("bash").arg(&run).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2));
    // A device that cannot be is refused by the program itself: the words came through.
    let text = std::fs::read_to_string(&run).unwrap();
    std::fs::write(&run, text.replace("--device=cpu", "--device=abacus")).unwrap();
    let refused = Command::new("bash").arg(&run).args(["shard", "2"]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("abacus") && error.contains("--device"), "{error}");

    let print = Command::new("bash")
        .arg(slurm.jobs().join("kubernetes.sh"))
        .arg("--print")
        .env("IMAGE", "registry/image")
        .env("CLAIM", "volume")
        .output()
        .unwrap();
    let yaml = String::from_utf8(print.stdout).unwrap();
    assert_eq!(yaml.matches("completionMode: Indexed").count(), 3, "{yaml}");
    assert!(yaml.contains("completions: 4\n  parallelism: 2\n"), "{yaml}");
    let run = serde_json::Value::from(run.display().to_string());
    assert!(yaml.contains(&format!("command: [\"bash\", {run}, \"shard\"]")), "{yaml}");
}

#[test]
fn jobs_that_are_killed_or_late_queue_themselves_again_and_others_do_not() {
    let slurm = Slurm::new();
    slurm.command("scontrol", "echo \"scontrol $*\" >> log");
    slurm.said("--scripts --array=4");
    let ended = |run: &str| {
        std::fs::write(slurm.jobs().join("run.sh"), run).unwrap();
        let path = std::env::var("PATH").unwrap();
        let status = Command::new("bash")
            .arg(slurm.jobs().join("slurm-shard.sh"))
            .env("PATH", format!("{}:{path}", slurm.folder().display()))
            .env("SLURM_JOB_ID", "15")
            .env("SLURM_ARRAY_JOB_ID", "12")
            .env("SLURM_ARRAY_TASK_ID", "3")
            .env("SLURM_RESTART_COUNT", "7")
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        (status.code(), slurm.asked())
    };
    let again = vec!["scontrol requeue 12_3".to_string()];
    assert_eq!(ended("exit 0"), (Some(0), vec![]));
    assert_eq!(ended("exit 1"), (Some(1), vec![]));
    // What Slurm sends when the time is almost up, to the script and not to the program.
    let (code, asked) = ended("sleep 1; kill -USR1 $PPID; exec sleep 60");
    assert!(code != Some(0) && asked == again, "{code:?} {asked:?}");
    // Done in the meantime.
    let done = "trap 'exit 0' TERM; sleep 1; kill -USR1 $PPID; sleep 5 & wait";
    assert_eq!(ended(done), (Some(0), vec![]));
    // Neither counts as killed, nor does what else Slurm began again.
    for _ in 0..3 {
        assert_eq!(ended("kill -KILL $$"), (Some(137), again.clone()));
    }
    assert_eq!(ended("kill -KILL $$"), (Some(137), vec![]));
}
