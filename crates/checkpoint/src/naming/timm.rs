use hrnet::Place;
use hrnet::place::{Layer, Role, Unit};

/// Returns the name of the bias that Microsoft's networks have at a convolution of the head, for the convolution and for
/// the batch norm behind it. Batch norm subtracts its running mean from the convolution's output, so such a bias is a mean
/// that is smaller by as much.
pub(super) fn head_bias(place: &Place) -> Option<String> {
    match place {
        Place::In(
            unit @ (Unit::HeadDown { .. } | Unit::HeadFinal),
            Role::Conv(Layer::Only) | Role::BatchNorm(Layer::Only),
        ) => Some(format!("{}.bias", unit.at(Role::Conv(Layer::Only)))),
        _ => None,
    }
}
