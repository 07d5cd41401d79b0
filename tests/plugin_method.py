"""A method in a file outside the project: the example of docs/add-a-method.md, as a stranger would write it."""

from torch import Tensor, nn

from derainbench import Derainer, Method, Recipe


class TinyCNN(Derainer):
    """Three convolutions that predict the rain."""

    def __init__(self, width: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(),
            nn.Dropout2d(dropout),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, rainy: Tensor) -> Tensor:
        restored: Tensor = rainy - self.layers(rainy)
        return restored


TINY = Method(
    name="tinycnn",
    title="Tiny CNN",
    network=TinyCNN,
    recipe=Recipe(lr=5e-3, steps=1000, batch=4, patch=32, augment=("hflip", "rot90"), loss="mse"),
)
