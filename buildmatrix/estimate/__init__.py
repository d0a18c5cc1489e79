"""What a network would take on a board that is not here: estimated, with the error of estimates.

board       boards as facts, and what was published for them
work        what a network asks of a board, layer by layer
model       from that to milliseconds, by a dozen coefficients that all boards share
fit         the coefficients, from published rows
validation  every published row beside what was estimated without it, and two simple rivals
shown       what is said of one network on one board, and what is refused
calibration real runs that are taken into the fit

data/published.csv   milliseconds an image that others published for ncnn: from the table in ncnn's
                     benchmark page (Tencent/ncnn, benchmark/README.md, commit 08c2dac of 2022),
                     measured in 2020 to 2022 with the ncnn of the day, batch 1
data/boards.toml     the boards, as facts with their sources
data/split.toml      which rows are held out together; fixed before anything was fitted
data/networks.json   what the published networks ask for (tests/bench/published_networks.py)
data/fitted.json     coefficients of all rows, and every row's estimate without it; both written by
                     `python -m tests.bench.estimates --write`
"""
