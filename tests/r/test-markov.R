test_that("matrices are those of markovchain", {
  set.seed(1)
  states <- c("run", "cast", "stop")
  walk <- function(n) Reduce(function(s, i) sample(setdiff(states, s), 1), seq_len(n - 1), "run",
                             accumulate = TRUE)
  sequences <- lapply(1:20, function(i) walk(30))
  frames <- do.call(rbind, lapply(seq_along(sequences), function(i)
    data.frame(assay = "a", line = "w", larva = i, t = seq_along(sequences[[i]]),
               state = factor(sequences[[i]], states))))
  found <- larvastats$transitions(data = frames, windows = "whole", bootstrap = 0)$table
  reference <- markovchain::markovchainFit(sequences, method = "mle")$estimate@transitionMatrix
  expect_equal(found$p, reference[cbind(found$from, found$to)], tolerance = 1e-10)
})
