use std::collections::HashMap;
use std::path::PathBuf;

use super::{Answer, Answered, Header, order};

/// One file of answers.
#[derive(Clone, Debug)]
pub struct Part<A = Answer> {
    /// Its path.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// Its answers.
    pub answers: Vec<A>,
}

/// Parts that are not one evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There are none.
    #[error("no parts were given")]
    Nothing,
    /// A part is of another evaluation.
    #[error("{path} is not of the same evaluation as {first}: {difference}")]
    Foreign {
        /// The part.
        path: PathBuf,
        /// The part with which it is compared.
        first: PathBuf,
        /// The settings that differ, each with both values.
        difference: String,
    },
    /// Two answers to one image.
    #[error("image {image} is in {first} and again in {path}")]
    Twice {
        /// The image's index.
        image: usize,
        /// The part that has it first.
        first: PathBuf,
        /// The part that has it again, perhaps the same.
        path: PathBuf,
    },
    /// An answer to an image of another shard, or of none.
    #[error("{path}: image {image} is not of shard {shard}")]
    Stray {
        /// The part.
        path: PathBuf,
        /// The image's index.
        image: usize,
        /// The part's shard.
        shard: String,
    },
    /// Images without an answer.
    #[error("{count} of {images} images are missing: {}", .places.join("; "))]
    Missing {
        /// Number of images.
        count: usize,
        /// Of how many.
        images: usize,
        /// Which shards lack how many.
        places: Vec<String>,
    },
}

/// All answers, by image, once it is proved that each image of the data set has exactly one.
///
/// # Errors
/// If a part is of another evaluation, data set or number of shards, has an image that is not its shard's or that is in another
/// part too, or images are missing.
pub fn merge<A: Answered>(parts: &[Part<A>]) -> Result<Vec<A>, MergeError> {
    let first = parts.first().ok_or(MergeError::Nothing)?;
    let images = first.header.key.data.images;
    let mut place = vec![0; images];
    for (at, image) in order(images, &first.header.key.data.digest)
        .into_iter()
        .enumerate()
    {
        place[image] = at;
    }
    let mut found: HashMap<usize, &Part<A>> = HashMap::new();
    let mut answers: Vec<Option<A>> = vec![None; images];
    for part in parts {
        belongs(part, first)?;
        let shard = part.header.shard;
        let places = shard.places(images);
        for answer in &part.answers {
            let image = answer.image();
            if !place.get(image).is_some_and(|place| places.contains(place)) {
                return Err(MergeError::Stray {
                    path: part.path.clone(),
                    image,
                    shard: shard.to_string(),
                });
            }
            if let Some(other) = found.insert(image, part) {
                return Err(MergeError::Twice {
                    image,
                    first: other.path.clone(),
                    path: part.path.clone(),
                });
            }
            answers[image] = Some(answer.clone());
        }
    }
    missing(parts, &answers, &place)?;
    Ok(answers.into_iter().flatten().collect())
}

fn belongs<A>(part: &Part<A>, first: &Part<A>) -> Result<(), MergeError> {
    let (expected, found) = (&first.header, &part.header);
    let shards = (expected.shard.of != found.shard.of).then(|| {
        format!(
            "shards: expected one of {}, found {}",
            expected.shard.of, found.shard
        )
    });
    match expected.key.difference(&found.key).or(shards) {
        None => Ok(()),
        Some(difference) => Err(MergeError::Foreign {
            path: part.path.clone(),
            first: first.path.clone(),
            difference,
        }),
    }
}

fn missing<A>(parts: &[Part<A>], answers: &[Option<A>], place: &[usize]) -> Result<(), MergeError> {
    let count = answers.iter().filter(|answer| answer.is_none()).count();
    if count == 0 {
        return Ok(());
    }
    let of = parts[0].header.shard.of;
    let mut places = Vec::new();
    for index in 0..of {
        let shard = super::Shard { index, of };
        let range = shard.places(answers.len());
        let lacking = (0..answers.len())
            .filter(|image| answers[*image].is_none() && range.contains(&place[*image]))
            .count();
        if lacking > 0 {
            let part = parts.iter().find(|part| part.header.shard == shard);
            let file = part.map_or("no file".into(), |part| part.path.display().to_string());
            places.push(format!("{lacking} of shard {shard} ({file})"));
        }
    }
    Err(MergeError::Missing {
        count,
        images: answers.len(),
        places,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{answer, header};
    use super::super::{Shard, Tally};
    use super::*;

    const IMAGES: usize = 20;

    /// The parts of an evaluation in which every third image is right.
    fn parts(of: usize) -> Vec<Part> {
        let part = |index: usize| {
            let header = header(IMAGES, Shard { index, of });
            let order = order(IMAGES, &header.key.data.digest);
            let images = &order[header.shard.places(IMAGES)];
            Part {
                path: format!("{index}.jsonl").into(),
                answers: images
                    .iter()
                    .map(|image| answer(*image, (image % 3 == 0).then_some(0)))
                    .collect(),
                header,
            }
        };
        (0..of).map(part).collect()
    }

    #[test]
    fn any_number_of_shards_gives_the_same() {
        let whole = merge(&parts(1)).expect("whole");
        assert_eq!(whole.len(), IMAGES);
        assert_eq!(Tally::of(&whole).top1, 7);
        for of in [2, 3, 7, 20, 31] {
            let mut parts = parts(of);
            parts.reverse();
            assert_eq!(merge(&parts).expect("whole"), whole, "{of} shards, in any order");
        }
    }

    #[test]
    fn what_is_not_there_exactly_once_is_an_error_that_names_it() {
        let error = |parts: &[Part]| merge(parts).expect_err("not whole").to_string();
        assert_eq!(error(&[]), "no parts were given");
        let all = parts(3);
        let missing = error(&all[..2]);
        assert!(
            missing.contains("7 of 20 images are missing: 7 of shard 2/3 (no file)"),
            "{missing}"
        );
        let mut short = all.clone();
        short[1].answers.pop();
        assert!(error(&short).contains("1 of 20 images are missing: 1 of shard 1/3 (1.jsonl)"));
        let twice = error(&[&all[..], &all[..1]].concat());
        assert!(twice.contains("is in 0.jsonl and again in 0.jsonl"), "{twice}");
        let mut stray = all.clone();
        let moved = stray[0].answers.pop().expect("some");
        stray[1].answers.push(moved);
        assert!(error(&stray).contains("1.jsonl: image"), "{}", error(&stray));
        let mut weights = all.clone();
        weights[2].header.key.weights = "seeded:9".into();
        let foreign = error(&weights);
        assert!(
            foreign.contains("2.jsonl is not of the same evaluation as 0.jsonl: weights: expected seeded:0"),
            "{foreign}"
        );
        let mut other = all.clone();
        other[1] = parts(7).swap_remove(1);
        assert!(
            error(&other).contains("shards: expected one of 3, found 1/7"),
            "{}",
            error(&other)
        );
        let mut beyond = all;
        beyond[0].answers[0].image = IMAGES;
        assert!(error(&beyond).contains("image 20 is not of shard 0/3"));
    }
}
