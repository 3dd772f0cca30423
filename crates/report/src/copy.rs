//! The page as Markdown in a folder of its own.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::cells::Model;
use crate::page::Page;
use crate::{Input, ReportError, figures, markdown, write_charts, write_text};

const README: &str = "README.md";
/// The start of every page that this program writes: its command.
const OURS: &str = "`zoo ";

/// Writes the page as `README.md` with its charts into a folder, and returns their paths. The folder is made if it does not
/// exist. The copy is for places that show Markdown and not HTML; it has no files of numbers.
///
/// Charts that the page before linked and this one does not are removed.
///
/// # Errors
/// If a file cannot be read, written or removed; those written before stay.
pub fn render_markdown(input: &Input, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    std::fs::create_dir_all(folder).map_err(ReportError::io(folder))?;
    let before = charts(folder)?;
    let model = Model::new(input);
    let figures = figures(&model)?;
    let mut paths = write_charts(&figures, folder)?;
    let now: BTreeSet<String> = figures.iter().map(|figure| figure.file_name()).collect();
    let mut page = Page::new(&model, figures);
    page.files.clear();
    paths.push(write_text(&folder.join(README), &markdown::page(&page))?);
    for name in before.difference(&now) {
        remove(&folder.join(name))?;
    }
    Ok(paths)
}

/// The charts in the folder that the page there links; none if there is no page or it is not one of this program.
fn charts(folder: &Path) -> Result<BTreeSet<String>, ReportError> {
    let path = folder.join(README);
    let text = match files::read_text(&path, files::LARGEST_TEXT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        text => text.map_err(ReportError::io(&path))?,
    };
    if !text.starts_with(OURS) {
        return Ok(BTreeSet::new());
    }
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_beside = |name: &&str| name.ends_with(".svg") && !name.contains(['/', '\\', '%']);
    Ok(links.filter(is_beside).map(str::to_owned).collect())
}

fn remove(path: &Path) -> Result<(), ReportError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(ReportError::io(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, record, zoo};

    #[test]
    fn a_copy_removes_the_charts_of_the_page_before_and_no_other_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (zoo, at) = (zoo(), |name: &str| folder.path().join(name));
        let records = [record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10; 9])];
        let local = at("accuracy.local.f32.bs1.svg");
        render_markdown(&input(&zoo, &records), folder.path()).expect("written");
        std::fs::write(at("mine.svg"), "mine").expect("written");
        assert!(local.is_file());
        render_markdown(&input(&zoo, &[]), folder.path()).expect("written");
        assert!(!local.exists(), "the page does not link it any more");
        assert!(at("mine.svg").is_file() && at("accuracy.published.flops.svg").is_file());

        // A page of somebody else's, whatever it links.
        std::fs::write(at("README.md"), "# Mine\n![](mine.svg)\n").expect("written");
        render_markdown(&input(&zoo, &records), folder.path()).expect("written");
        assert!(at("mine.svg").is_file());
    }
}
