//! The page before it has a form: HTML and Markdown are made of the same model.

use serde::Serialize;

use crate::charts::Chart;
use crate::{Input, ReportError, scatter, sections};

/// All that a page says.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) date: String,
    /// What it was made on and by: names and values.
    pub(crate) facts: Vec<(String, String)>,
    /// What must be known before the numbers are read.
    pub(crate) notices: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Section {
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
}

#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) columns: Vec<ColumnHead>,
    pub(crate) rows: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ColumnHead {
    pub(crate) title: String,
    pub(crate) right: bool,
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
        }
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
    /// The picture, or nothing where there is nothing to draw.
    pub(crate) svg: Option<String>,
}

impl Figure {
    pub(crate) fn of(chart: &dyn Chart, input: &Input) -> Result<Self, ReportError> {
        let id = chart.id();
        let svg = chart.data(input).map(|series| scatter::svg(&series)).transpose();
        Ok(Self {
            id: id.into(),
            title: chart.title().into(),
            svg: svg.map_err(|reason| ReportError::Chart {
                id: id.into(),
                reason,
            })?,
        })
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.svg", self.id)
    }
}

impl Page {
    pub(crate) fn new(input: &Input, charts: Vec<Figure>, races: Vec<Figure>) -> Self {
        let date = input.date.split('T').next().unwrap_or(input.date);
        Self {
            title: format!("HRNet zoo, {date}"),
            date: input.date.to_owned(),
            facts: sections::facts(input),
            notices: sections::notices(input),
            sections: sections::all(input, charts, races),
        }
    }
}
