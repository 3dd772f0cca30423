//! The page before it has a form: HTML and Markdown are made of the same model.

use serde::Serialize;

use crate::cells::Model;
use crate::charts::{Chart, Part};
use crate::evaluations::TABLE;
use crate::people;
use crate::{LAYERS, ReportError, sections};

/// The file of records, and what is in it.
pub(crate) const RUNS: (&str, &str) = ("records.jsonl", "every single run");

/// All that a page says.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// The command that made it.
    pub(crate) command: String,
    pub(crate) title: String,
    /// The page in a few sentences.
    pub(crate) summary: Vec<Answer>,
    /// The records, the machine and the program: names and values.
    pub(crate) facts: Vec<(String, String)>,
    /// Files of the folder: names and what is in them.
    pub(crate) files: Vec<(String, String)>,
    /// Warnings that a reader needs before the numbers.
    pub(crate) notices: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

/// A question that a reader brings, and the page's answer.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Answer {
    pub(crate) question: &'static str,
    pub(crate) text: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Section {
    /// The target of links.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Block {
    Text {
        text: String,
    },
    Table(Table),
    /// Charts side by side.
    Figures {
        figures: Vec<Figure>,
    },
    /// A list of statements, each with a word on its weight.
    List {
        items: Vec<Item>,
    },
    /// Words and what they mean.
    Terms {
        terms: Vec<(&'static str, &'static str)>,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) columns: Vec<ColumnHead>,
    pub(crate) rows: Vec<Vec<Entry>>,
    /// The text that stands in its place until it is unfolded; `None` for a table that is always open.
    pub(crate) folded: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ColumnHead {
    pub(crate) title: String,
    pub(crate) right: bool,
}

/// One place of a table.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Entry {
    pub(crate) text: String,
    /// A small SVG in place of the text, where pictures can be shown.
    pub(crate) picture: Option<String>,
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self { text, picture: None }
    }
}

impl Table {
    /// An empty table; columns whose title starts with `>` are aligned right.
    pub(crate) fn new<S: AsRef<str>>(titles: &[S]) -> Self {
        let head = |title: &S| {
            let title = title.as_ref();
            ColumnHead {
                title: title.trim_start_matches('>').to_owned(),
                right: title.starts_with('>'),
            }
        };
        Self {
            columns: titles.iter().map(head).collect(),
            rows: Vec::new(),
            folded: None,
        }
    }

    /// Adds a row of texts.
    pub(crate) fn row(&mut self, texts: Vec<String>) {
        self.rows.push(texts.into_iter().map(Entry::from).collect());
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) weight: &'static str,
    pub(crate) subject: String,
    pub(crate) text: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// The file's name without its extension.
    pub(crate) id: String,
    pub(crate) title: String,
    /// The part of the page that it belongs to; `None` for the charts of peers.
    #[serde(skip)]
    pub(crate) part: Option<Part>,
    /// The picture.
    pub(crate) svg: String,
}

impl Figure {
    /// Draws a chart, or returns `None` if there is nothing to draw.
    pub(crate) fn of(chart: &dyn Chart, model: &Model) -> Result<Option<Self>, ReportError> {
        let id = chart.id();
        let Some(drawing) = chart.data(model) else {
            return Ok(None);
        };
        let svg = drawing.svg().map_err(|source| ReportError::Chart {
            id: id.into(),
            source,
        })?;
        Ok(Some(Self {
            id: id.into(),
            title: chart.title().into(),
            part: Some(chart.part()),
            svg,
        }))
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.svg", self.id)
    }
}

impl Page {
    pub(crate) fn new(model: &Model, figures: Vec<Figure>) -> Self {
        let day = model.input.day().unwrap_or("nothing measured");
        let layers = model.input.layers.map(|_| (LAYERS, "every step of one network"));
        let evaluations = model.input.evaluations;
        let accuracy = (!evaluations.done.is_empty()).then_some((TABLE, "one row per evaluation"));
        let people = (!evaluations.people.is_empty())
            .then_some((people::TABLE, "one row per evaluation of keypoints"));
        let files = [RUNS, ("cells.csv", "one row per cell")]
            .into_iter()
            .chain(accuracy)
            .chain(people)
            .chain(layers)
            .chain([
                ("machine.json", "the machine and the program"),
                ("index.md", "this page as Markdown"),
            ]);
        Self {
            command: model.input.command.to_owned(),
            title: format!("HRNet zoo, {day}"),
            summary: sections::summary(model, figures.len()),
            facts: sections::facts(model),
            files: files.map(|(name, what)| (name.into(), what.into())).collect(),
            notices: sections::notices(model),
            sections: sections::all(model, figures),
        }
    }
}
