"""What a network would take on a board that is not here, estimated, with the error of estimates.

data/published.csv  milliseconds an image that others published for ncnn: from the table in ncnn's
                    benchmark page (Tencent/ncnn, benchmark/README.md, commit 08c2dac of 2022),
                    measured in 2020 to 2022 with the ncnn of the day, batch 1
data/boards.toml    the boards, as facts with their sources
data/split.toml     which rows are held out together; fixed before anything was fitted
"""
