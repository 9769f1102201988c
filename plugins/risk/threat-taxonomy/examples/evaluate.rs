//! Prints how well the agent tells labelled prompts apart: `cargo run --release -p threat-taxonomy --example evaluate -- FILE`.
//!
//! FILE holds one JSON object a line with `label` and `text`. With `--missed LABEL` it prints, of the even lines, the texts
//! of that label on the wrong side of the threshold, with what was found in them.

use std::process::ExitCode;
use threat_taxonomy::evaluation::{Prompt, THRESHOLD, evaluate, prompts};
use threat_taxonomy::{scan, score};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let path = arguments.first().ok_or("usage: evaluate FILE [--missed LABEL]")?;
    let lines = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let prompts = prompts(&lines)?;
    print!("{}", evaluate(&prompts, score));
    if let [_, flag, label] = arguments
        && flag == "--missed"
    {
        missed(&prompts, label);
    }
    Ok(())
}

fn missed(prompts: &[Prompt], label: &str) {
    for prompt in prompts.iter().step_by(2).filter(|prompt| prompt.label == label) {
        let score = score(&prompt.text);
        if (score < THRESHOLD) == (label == "jailbreak") {
            println!("\n{score:.1} {}", prompt.text);
            for hit in scan(&prompt.text) {
                let quotes: Vec<_> = hit.spans.iter().filter_map(|span| prompt.text.get(span.clone())).collect();
                println!("    {} {} {quotes:?}", hit.class.code(), hit.points);
            }
        }
    }
}
