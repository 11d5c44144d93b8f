# Numbers side by side, by format(): what a named vector or an interval looks like.
# Usage: Rscript make_format.R [FOLDER]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else here

cases <- list(
  c(0.2910781234, 0.2743749, 0.3223177, 0.3783674), c(-0.354752494, -0.0766298), c(1, 2.5, 100),
  c(1e-10, 1), c(1e-10, 2e-10), c(123456.789, 0.001), c(0, 0.5), c(-3, 22.25), 1e15, 1e-5,
  c(1234567.891, 12), c(0.1, NA), c(Inf, 2.125), 2.5e-9, c(3e-5, 4.25e-5), 100000, 123456789,
  c(99999.99999, 1), c(0.99999999, 0.5)
)
out <- do.call(rbind, lapply(cases, function(x) {
  do.call(rbind, lapply(c(3, 5, 7), function(digits) {
    data.frame(digits = digits, values = paste(sprintf("%.17g", x), collapse = "|"),
               printed = paste(format(x, digits = digits), collapse = "|"))
  }))
}))
file <- file(file.path(folder, "format.csv"), "w")
writeLines(sprintf("# %s, base::format, by make_format.R", R.version.string), file)
write.csv(out, file, row.names = FALSE, quote = FALSE)
close(file)
