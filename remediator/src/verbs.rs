//! The command line.

pub mod check;
pub(crate) mod client;
pub mod import;
pub(crate) mod journal_file;
pub mod rehearsal;
pub(crate) mod report;
pub(crate) mod serve;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use url::Url;
use vvtv_incident::Timestamp;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::flags::{LogArgs, WebArgs};

use self::check::Weight;
use self::rehearsal::tests_of;
use crate::clock::Clock;
use crate::config::SecretFiles;
use crate::journal::Reader;
use crate::runbook::load_dir;
use crate::{config, runbook};
use vvtv_toolkit::yaml::Document;

/// Runs runbooks when Alertmanager's alerts ask for it, and calls people when that did not help.
#[derive(Parser)]
#[command(name = "vvtv-remediator", version)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the server.
    Serve(ServeArgs),
    /// Say whether configuration, runbooks and alert rules agree. Exits with 1 if they do not.
    Check(CheckArgs),
    /// Run the `*.test.yml` beside the runbooks on a virtual clock. Exits with 1 if one fails.
    Test(TestArgs),
    /// Print what the steps came to, and what was decided on and not done.
    Report(ReportArgs),
    /// Print what a runbook does when nothing helps, level by level.
    Simulate(SimulateArgs),
    /// Print a runbook as a page for people.
    Render(RenderArgs),
    /// Compile a Markdown page to runbooks, contacts and maintenance lists; what needs a person's decision is named on stderr.
    Import(ImportArgs),
    /// Print the runbook language's JSON Schema, for editors.
    Schema,
    /// Compare the timeline with its hashes, or print it.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Copy the journal into a new file while the server runs.
    Backup(BackupArgs),
    /// What can be done about a damaged journal.
    #[command(subcommand)]
    Journal(JournalVerb),
    #[command(flatten)]
    Client(ClientVerb),
}

/// Flags of `serve`.
#[derive(Parser)]
pub struct ServeArgs {
    /// The configuration.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
    /// How HTTP is served.
    #[command(flatten)]
    pub web: WebArgs,
    /// How it logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Flags of `check`.
#[derive(Parser)]
pub struct CheckArgs {
    /// The configuration.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
}

/// Flags of `test`.
#[derive(Parser)]
pub struct TestArgs {
    /// The configuration: it names the runbooks, the site variables and the people.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
    /// Also name the branches of the runbooks that no case goes through; one is enough to fail.
    #[arg(long)]
    pub coverage: bool,
}

/// Flags of `report`.
#[derive(Parser)]
pub struct ReportArgs {
    /// The configuration: it names the journal and the runbooks.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
    /// Only this runbook.
    #[arg(long, value_name = "ID")]
    pub runbook: Option<String>,
    /// How far to look back.
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    pub since: PromDuration,
    /// As text for people, or as JSON.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    pub format: String,
}

/// Flags of `simulate`.
#[derive(Parser)]
pub struct SimulateArgs {
    /// The runbook's id.
    pub runbook: String,
    /// The configuration: it names the runbooks, the site variables and the people.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
}

/// Flags of `render`.
#[derive(Parser)]
pub struct RenderArgs {
    /// The runbook's file.
    pub runbook: PathBuf,
    /// A configuration: with it, site variables have their values and levels their people.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
}

/// Flags of `import`.
#[derive(Parser)]
pub struct ImportArgs {
    /// The page.
    pub page: PathBuf,
    /// Write the files to this directory, which must have none of their names yet, instead of printing them.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// The report as text for people on stderr, or files and report as JSON on stdout.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    pub format: String,
}

/// Verbs of `audit`.
#[derive(Subcommand)]
pub enum AuditVerb {
    /// Compare every row with its hash. Exits with 1, naming the first row that does not hold.
    Verify(VerifyArgs),
    /// Print every row and its hash as a line of JSON.
    Export(JournalArgs),
}

/// Which journal.
#[derive(Parser)]
pub struct JournalArgs {
    /// The journal's file, e.g. a backup; without it, the configuration's.
    pub file: Option<PathBuf>,
    /// The configuration.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
}

/// Flags of `audit verify`.
#[derive(Parser)]
pub struct VerifyArgs {
    /// Which journal.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// A hash that the server logged; a chain that does not go through it was cut off or written anew.
    #[arg(long, value_name = "HASH")]
    pub through: Option<String>,
}

/// Flags of `backup`.
#[derive(Parser)]
pub struct BackupArgs {
    /// The configuration.
    #[arg(long = "config.file", value_name = "FILE", default_value = "remediator.yml")]
    pub config_file: PathBuf,
    /// The new file.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Verbs of `journal`.
#[derive(Subcommand)]
pub enum JournalVerb {
    /// Copy everything that can be read of a damaged journal into a new one, and say what was lost. The damaged one is only read.
    Salvage(SalvageArgs),
}

/// Flags of `journal salvage`.
#[derive(Parser)]
pub struct SalvageArgs {
    /// Which journal.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// The new file.
    #[arg(long, value_name = "NEW")]
    pub to: PathBuf,
}

/// Verbs that talk to a running server.
#[derive(Subcommand)]
pub enum ClientVerb {
    /// List incidents.
    Incidents {
        /// Where the server is.
        #[command(flatten)]
        server: Server,
        /// Which incidents.
        #[arg(long, default_value = "open", value_parser = ["open", "closed", "all"])]
        state: String,
        /// Print the server's JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Say "I have it": nobody else is called for a while.
    Ack(OnIncident),
    /// Stop one incident's actions.
    Hold(OnIncident),
    /// Let one incident's actions go on.
    Release(OnIncident),
    /// Let the change that waits run.
    Approve {
        /// The incident, and who approves.
        #[command(flatten)]
        on: OnIncident,
        /// The change: an approval is for no other.
        #[arg(long)]
        step: String,
    },
    /// End one incident's actions for good; a running step is killed, and while an alert fires people are called.
    Abort(OnIncident),
    /// Stop all new actions.
    Pause(OnAll),
    /// Let new actions run again.
    Resume(OnAll),
    /// Print a link to the console that is good once, within 15 minutes.
    Login {
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
    /// Maintenance: what is to be done, and saying that it is.
    #[command(subcommand)]
    Tasks(TasksVerb),
}

/// Verbs of `tasks`.
#[derive(Subcommand)]
pub enum TasksVerb {
    /// List the tasks that are open and the last ones that were done.
    List {
        /// Where the server is.
        #[command(flatten)]
        server: Server,
        /// Print the server's JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Say that a task is done.
    Done {
        /// The task's number.
        task: u32,
        /// Who you are, for the timeline, beside the name of the token that is shown.
        #[arg(long, env = "USER", default_value = "somebody")]
        by: String,
        /// What was done.
        #[arg(long, default_value = "")]
        note: String,
        /// Where the server is.
        #[command(flatten)]
        server: Server,
    },
}

/// Where the server is, and who asks it.
#[derive(Parser)]
pub struct Server {
    /// Address of the running server; a user and password in it are sent along.
    #[arg(long = "server", env = "VVTV_REMEDIATOR_URL", default_value = "http://127.0.0.1:10048")]
    pub url: Url,
    /// File of a token to show; without it the server's own on this machine, beside the journal that the configuration names.
    #[arg(long, value_name = "FILE", env = "VVTV_REMEDIATOR_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The configuration [default: remediator.yml, if it is there].
    #[arg(long = "config.file", value_name = "FILE", env = "VVTV_REMEDIATOR_CONFIG")]
    pub config_file: Option<PathBuf>,
}

/// One incident, and who asks.
#[derive(Parser)]
pub struct OnIncident {
    /// The incident's number.
    pub incident: u64,
    /// Who you are, for the timeline, beside the name of the token that is shown.
    #[arg(long, env = "USER", default_value = "somebody")]
    pub by: String,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// Who asks.
#[derive(Parser)]
pub struct OnAll {
    /// Who you are, beside the name of the token that is shown.
    #[arg(long, env = "USER", default_value = "somebody")]
    pub by: String,
    /// Where the server is.
    #[command(flatten)]
    pub server: Server,
}

/// Parses the arguments and does what they say. Errors are printed once, with their whole chain.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Serve(args) => serve::main(&args).map(|()| ExitCode::SUCCESS),
        Verb::Check(args) => Ok(check(&args)),
        Verb::Test(args) => test(&args),
        Verb::Report(args) => report(&args),
        Verb::Simulate(args) => simulate(&args),
        Verb::Render(args) => render(&args),
        Verb::Import(args) => import_page(&args),
        Verb::Schema => schema(),
        Verb::Audit(AuditVerb::Verify(args)) => journal_file::verify(&args).map(|()| ExitCode::SUCCESS),
        Verb::Audit(AuditVerb::Export(args)) => journal_file::export(&args).map(|()| ExitCode::SUCCESS),
        Verb::Backup(args) => journal_file::backup(&args).map(|()| ExitCode::SUCCESS),
        Verb::Journal(JournalVerb::Salvage(args)) => journal_file::salvage(&args).map(|()| ExitCode::SUCCESS),
        Verb::Client(verb) => client::main(verb).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("vvtv-remediator: {error:#}");
        ExitCode::FAILURE
    })
}

fn check(args: &CheckArgs) -> ExitCode {
    let report = check::check(&args.config_file);
    println!("{report}");
    if report.count(Weight::Error) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn test(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config_file, SecretFiles::Report)?;
    let books = load_dir(&config.runbooks, &config.site)?;
    let summary = tests_of(&config, &books);
    println!("{summary}");
    let uncovered = args.coverage && !summary.not_covered.is_empty();
    if uncovered {
        println!("not covered:\n  {}", summary.not_covered.join("\n  "));
    }
    Ok(if summary.good() && !uncovered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn render(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let config = args.config_file.as_ref().map(|file| config::load(file, SecretFiles::Report)).transpose()?;
    let source = Document::read(&args.runbook)?;
    let page = match &config {
        Some(config) => runbook::page(&source, &config.site.variables, &config.contacts)?,
        None => runbook::page(&source, &BTreeMap::new(), &[])?,
    };
    print!("{page}");
    Ok(ExitCode::SUCCESS)
}

fn import_page(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let page = args.page.display().to_string();
    let file = std::fs::File::open(&args.page).with_context(|| format!("open {page}"))?;
    let mut text = Vec::new();
    // One byte more than is read tells that there is more.
    let most = u64::try_from(import::BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut text).with_context(|| format!("read {page}"))?;
    let import = import::import(&page, &text).with_context(|| format!("import {page}"))?;
    let json = args.format == "json";
    for (name, text) in &import.files {
        let Some(dir) = &args.output else {
            if !json {
                println!("# {name}\n{text}");
            }
            continue;
        };
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let path = dir.join(name);
        // A file that somebody has decided things in is not written over.
        let mut file = std::fs::File::create_new(&path).with_context(|| format!("create {}", path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&import.as_json())?);
    } else {
        eprintln!("{}", import.report());
    }
    Ok(ExitCode::SUCCESS)
}

fn schema() -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string_pretty(&runbook::schema())?);
    Ok(ExitCode::SUCCESS)
}

fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config_file, SecretFiles::Report)?;
    let books: Vec<_> = load_dir(&config.runbooks, &config.site)?.into_iter().map(Arc::new).collect();
    let now = Clock::start().now();
    let ago = u64::try_from(args.since.get().as_millis()).unwrap_or(u64::MAX);
    let since = Timestamp::from_millis(now.millis().saturating_sub(ago));
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("cannot start tokio")?;
    let reader = Reader::new(config.database.clone());
    let report = runtime
        .block_on(report::report(&reader, &books, args.runbook.as_deref(), since))
        .with_context(|| format!("cannot read {}", config.database.display()))?;
    if args.format == "json" {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}

fn simulate(args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let config = config::load(&args.config_file, SecretFiles::Report)?;
    let books = load_dir(&config.runbooks, &config.site)?;
    let Some(plan) = rehearsal::simulate(&config, &books, &args.runbook) else {
        let ids: Vec<_> = books.iter().map(|book| book.plan.id.as_str()).collect();
        anyhow::bail!("no runbook has the id `{}` (runbooks: {})", args.runbook, ids.join(", "));
    };
    print!("{plan}");
    Ok(ExitCode::SUCCESS)
}
