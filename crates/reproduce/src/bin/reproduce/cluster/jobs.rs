//! The jobs of a run on many machines: what each runs, and their scripts.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use files::{AtomicFile, write_atomically};
use minijinja::{Environment, context};
use terminal::shell_word;

use super::args::Array;
use super::quote::{heredoc, label};
use crate::args::ReproduceArgs;

/// A job by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What several shards need.
    Common,
    /// One shard.
    Shard,
    /// What is left, and the tables.
    Merge,
}

impl Kind {
    /// In the order in which they can run.
    pub(crate) const ALL: [Self; 3] = [Self::Common, Self::Shard, Self::Merge];

    /// As `run.sh` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Common => "common",
            Self::Shard => "shard",
            Self::Merge => "merge",
        }
    }
}

/// The jobs, and the folder of all that belongs to them.
pub(crate) struct Jobs {
    pub(crate) folder: PathBuf,
    pub(crate) array: Array,
    /// What every job is called with.
    pub(crate) words: Vec<String>,
    name: String,
    root: PathBuf,
    options: Vec<String>,
    gpu: bool,
}

impl Jobs {
    /// The jobs of `files`, experiments whose `names` are those of their studies.
    pub(crate) fn new(
        args: &ReproduceArgs,
        root: &Path,
        files: &[PathBuf],
        names: &[String],
    ) -> Self {
        let name = match names {
            [name] => name.clone(),
            _ => format!("{}-experiments-{}", names.len(), args.scale().name()),
        };
        let folder = args.cluster.jobs.clone();
        let folder = folder.unwrap_or_else(|| Path::new("target/reproduce/jobs").join(&name));
        Self {
            folder: root.join(folder),
            array: args.cluster.array,
            words: args.words(root, files),
            name: label(&name),
            root: root.into(),
            options: args.cluster.sbatch_options(),
            gpu: args.device != pipeline::DeviceChoice::Cpu,
        }
    }

    /// Slurm's script of a job.
    pub(crate) fn slurm_script(&self, kind: Kind) -> PathBuf {
        self.folder.join(format!("slurm-{}.sh", kind.name()))
    }

    /// Where a job says how far it is; `shard` from 1.
    pub(crate) fn progress(&self, kind: Kind, shard: usize) -> PathBuf {
        let name = match kind {
            Kind::Shard => format!("shard-{shard}.json"),
            _ => format!("{}.json", kind.name()),
        };
        self.progress_folder().join(name)
    }

    pub(crate) fn progress_folder(&self) -> PathBuf {
        self.folder.join("progress")
    }

    /// All scripts by the names of their files.
    pub(crate) fn scripts(&self) -> anyhow::Result<Vec<(PathBuf, String)>> {
        let mut templates = Environment::new();
        templates.set_keep_trailing_newline(true);
        templates.add_template("run", include_str!("run.sh"))?;
        templates.add_template("slurm", include_str!("slurm.sh"))?;
        templates.add_template("parallel", include_str!("parallel.sh"))?;
        templates.add_template("kubernetes", include_str!("kubernetes.sh"))?;
        let text = |path: &Path| path.display().to_string();
        let script = text(&self.folder.join("run.sh"));
        let render = |template: &str, values: minijinja::Value| {
            let common = context! {
                count => self.array.count,
                name => self.name,
                script => shell_word(&script),
                ..values
            };
            templates.get_template(template)?.render(common)
        };
        let program = text(&self.folder.join("reproduce"));
        let command = std::iter::once(&program).chain(&self.words).map(|word| shell_word(word));
        let values = context! {
            command => command.collect::<Vec<_>>().join(" "),
            progress => shell_word(&text(&self.progress_folder())),
        };
        let mut scripts = vec![(self.folder.join("run.sh"), render("run", values)?)];
        for kind in Kind::ALL {
            scripts.push((self.slurm_script(kind), render("slurm", self.slurm_values(kind))?));
        }
        let parallel = render("parallel", context! {})?;
        scripts.push((self.folder.join("parallel.sh"), parallel));
        let values = context! {
            root => shell_word(&text(&self.root)),
            at_a_time => self.array.at_a_time.unwrap_or(self.array.count),
            script_in_yaml => heredoc(&script),
            gpu => self.gpu,
        };
        scripts.push((self.folder.join("kubernetes.sh"), render("kubernetes", values)?));
        Ok(scripts)
    }

    fn slurm_values(&self, kind: Kind) -> minijinja::Value {
        let array = kind == Kind::Shard;
        // Slurm writes the number of an array's job for `%a`.
        let log = if array { "shard-%a.log".into() } else { format!("{}.log", kind.name()) };
        let folder = self.folder.join("logs").display().to_string().replace('%', "%%");
        let array = array.then(|| format!("--array=1-{}{}", self.array.count, self.array.limit()));
        let options: Vec<String> =
            array.into_iter().chain(self.options.iter().map(|option| shell_word(option))).collect();
        context! {
            job_name => format!("{}-{}", self.name, kind.name()),
            log => shell_word(&format!("{folder}/{log}")),
            options,
            what => kind.name(),
            progress => shell_word(&self.progress_folder().display().to_string()),
        }
    }

    /// Writes scripts, folders, and a copy of this program, which jobs run whatever is built
    /// meanwhile.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        for folder in [self.folder.join("logs"), self.progress_folder()] {
            std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        for (path, text) in self.scripts()? {
            write_atomically(path, text)?;
        }
        let program = std::env::current_exe().context("this program's own file")?;
        let mut source =
            std::fs::File::open(&program).with_context(|| program.display().to_string())?;
        let copy = self.folder.join("reproduce");
        let mut file = AtomicFile::create(&copy)?;
        std::io::copy(&mut source, &mut file).with_context(|| copy.display().to_string())?;
        let permissions = source
            .metadata()
            .and_then(|data| file.as_file_mut().set_permissions(data.permissions()));
        permissions.with_context(|| copy.display().to_string())?;
        Ok(file.commit()?)
    }
}
