use std::collections::HashMap;

use harness::verdict::Answer;
use harness::{Case, counted};

use super::digits;
use crate::cells::Model;
use crate::draw::{self, COLORS, FAINT, INK};
use crate::night::{Mark, Verdicts};
use crate::page::{Block, Entry, Section, Table};

const WIDTH: f64 = 140.0;
const HEIGHT: f64 = 24.0;

/// One cell over the nights.
struct Track<'a> {
    case: &'a Case,
    /// Median in ms of each night that has the cell, oldest first, with its night's verdict.
    nights: Vec<(f64, Option<&'a Mark>)>,
}

impl Track<'_> {
    /// Returns `true` if this night's verdict is a change.
    fn changed(&self) -> bool {
        let mark = self.nights.last().and_then(|(_, mark)| *mark);
        mark.is_some_and(Mark::is_change)
    }
}

/// The changes since the nights before.
pub(super) fn history(model: &Model) -> Section {
    let input = &model.input;
    let tracks = tracks(model);
    let mut blocks = Vec::new();
    if !input.verdicts.marks().is_empty() {
        blocks.push(Block::Text {
            text: format!(
                "Against the night before: {}.{}",
                counts(input.verdicts),
                incomparable(input.verdicts)
            ),
        });
    }
    if let (Some(first), Some(last)) = (input.history.first(), input.history.last()) {
        blocks.push(Block::Text {
            text: format!(
                "{} of this machine, from {} to {}. The times and their change are as measured; the verdict is on the change \
                 corrected for the machine's speed, and a change without one may be chance. A cell with several threads is compared \
                 with the last night on which the machine's cores were as far apart.",
                counted(input.history.len(), "earlier night"),
                first.folder,
                last.folder
            ),
        });
    } else {
        blocks.push(Block::Text {
            text: "There is no earlier night of this machine in the folder, so there is nothing to compare with yet.".into(),
        });
    }
    let told: Vec<&Track> = tracks.iter().filter(|track| track.changed()).collect();
    if !told.is_empty() {
        blocks.push(Block::Table(table(told.into_iter())));
    }
    if !tracks.is_empty() {
        let mut all = table(tracks.iter());
        all.folded = Some(format!(
            "All {} that an earlier night has, too",
            counted(tracks.len(), "cell")
        ));
        blocks.push(Block::Table(all));
    }
    Section {
        id: "history",
        title: "What changed?".into(),
        blocks,
    }
}

/// The changes in a sentence.
pub(super) fn verdict(model: &Model) -> String {
    let input = &model.input;
    match input.history.last() {
        _ if !input.verdicts.marks().is_empty() => {
            format!("Against the night before: {}.", counts(input.verdicts))
        }
        Some(last) => format!(
            "These records were not compared with the last night, {}.",
            last.folder
        ),
        None => "Unknown: there is no earlier night of this machine to compare with.".into(),
    }
}

/// The number of each verdict, the most urgent first.
fn counts(verdicts: &Verdicts) -> String {
    let count = |answer: &Answer| {
        let count = verdicts.count(*answer);
        (count > 0).then(|| format!("{count} {answer}"))
    };
    let counts: Vec<String> = Answer::ALL.iter().filter_map(count).collect();
    counts.join(", ")
}

/// A cell that cannot be compared, and why, as a sentence.
fn incomparable(verdicts: &Verdicts) -> String {
    let mut marks = verdicts.marks().iter();
    let told = marks.find(|mark| mark.answer == Answer::Incomparable && !mark.why.is_empty());
    told.map_or(String::new(), |mark| {
        format!(" For example, {} is not comparable: {}.", mark.case, mark.why)
    })
}

/// The cells that an earlier night has, too.
fn tracks<'a>(model: &Model<'a>) -> Vec<Track<'a>> {
    let input = &model.input;
    let mut tracks: HashMap<&Case, Vec<(f64, Option<&Mark>)>> = HashMap::new();
    for night in input.history {
        let marks: HashMap<&Case, &Mark> = night
            .verdicts
            .marks()
            .iter()
            .map(|mark| (&mark.case, mark))
            .collect();
        for row in night.cells.iter().filter(|row| !row.raced) {
            if let Some(ms) = row.median_ms {
                let mark = marks.get(&row.case).copied();
                tracks.entry(&row.case).or_default().push((ms, mark));
            }
        }
    }
    let marks: HashMap<&Case, &Mark> = input
        .verdicts
        .marks()
        .iter()
        .map(|mark| (&mark.case, mark))
        .collect();
    model
        .alone()
        .filter_map(|cell| {
            let mut nights = tracks.remove(cell.case)?;
            nights.push((cell.times.ok()?.median_ms(), marks.get(cell.case).copied()));
            Some(Track {
                case: cell.case,
                nights,
            })
        })
        .collect()
}

fn table<'t, 'a: 't>(tracks: impl Iterator<Item = &'t Track<'a>>) -> Table {
    let mut table = Table::new(&[
        "cell",
        "nights",
        ">before, ms",
        ">now, ms",
        ">change, %",
        "verdict",
    ]);
    for track in tracks {
        let [.., (before, _), (now, mark)] = track.nights[..] else {
            continue;
        };
        let verdict = mark.map_or(String::new(), |mark| mark.answer.to_string());
        table.rows.push(vec![
            track.case.to_string().into(),
            picture(track),
            digits(before).into(),
            digits(now).into(),
            format!("{:+.1}", 100.0 * (now / before - 1.0)).into(),
            verdict.into(),
        ]);
    }
    table
}

/// The nights as a line, each verdict of a change a dot; as text the same in blocks.
fn picture(track: &Track) -> Entry {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values = || track.nights.iter().map(|(ms, _)| *ms);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(0.0, f64::max);
    // Less than a twentieth is drawn as small as it is.
    let span = (high - low).max(high * 0.05);
    let share = |ms: f64| (ms - low) / span;
    let text: String = values()
        .map(|ms| BLOCKS[(share(ms) * 7.0).round() as usize % 8])
        .collect();
    let step = (WIDTH - 12.0) / (track.nights.len().max(2) - 1) as f64;
    let at = |(index, (ms, _)): (usize, &(f64, Option<&Mark>))| {
        (
            6.0 + step * index as f64,
            HEIGHT - 5.0 - share(*ms) * (HEIGHT - 10.0),
        )
    };
    let points: Vec<(f64, f64)> = track.nights.iter().enumerate().map(at).collect();
    let name = format!("{}: {} to {} ms", track.case, digits(low), digits(high));
    let drawn = draw::picture(&name, (WIDTH as u32, HEIGHT as u32), |pen| {
        pen.path(&points, 2, FAINT)?;
        let last = points.len() - 1;
        for (index, ((x, y), (_, mark))) in points.iter().zip(&track.nights).enumerate() {
            let color = match mark.map(|mark| mark.answer) {
                Some(Answer::Regressed) => COLORS[1],
                Some(Answer::Improved) => COLORS[2],
                _ if index == last => INK,
                _ => continue,
            };
            pen.bar((x - 2.5, y - 2.5), (x + 2.5, y + 2.5), color)?;
        }
        Ok(())
    });
    Entry {
        text,
        picture: drawn.ok().map(|svg| svg.trim_end().to_owned()),
    }
}
