# larvastats in R: verbs as functions, results as S3 objects.
#
#   source(system2("larvastats", c("r", "--file"), stdout = TRUE))
#   larvastats$screen("store", protocol = "r_LED100", seed = 1)
#
# Needs R >= 4.0 and, where Python is not the host, the package jsonlite and the command `larvastats`
# (or options(larvastats.command = "/path/to/larvastats")). Nothing but `larvastats` is put into the
# workspace; methods are registered with R.

larvastats <- local({
  # -- R to parts: what an argument looks like on the way --------------------------------------------

  give <- function(x) {
    parts <- attr(x, "larvastats", exact = TRUE)
    if (!is.null(parts)) return(list(.handle = parts$handle$name))
    if (is.null(x)) return(NULL)
    if (is.data.frame(x)) return(list(.table = list(columns = give_columns(x), rows = nrow(x))))
    if (inherits(x, "formula")) return(list(.formula = write_formula(x)))
    if (is.function(x)) return(x)
    if (is.factor(x) || inherits(x, c("Date", "POSIXt"))) x <- as.character(x)
    if (is.list(x)) return(lapply(x, give))
    if (is.character(x)) x <- ifelse(startsWith(x, "~/"), path.expand(x), enc2utf8(x))
    if (length(x) == 1L && is.na(x)) return(NULL)
    if (!is.atomic(x)) no("an argument of class ", class(x)[1], " cannot be handed over; give ",
                          "numbers, texts, a data.frame, a formula or a result of larvastats.")
    as.vector(x)
  }

  give_columns <- function(table) {
    unname(Map(function(x, name) c(list(name = enc2utf8(name)), give_column(x)), as.list(table),
               names(table)))
  }

  give_column <- function(x) {
    coded <- function(kind, values, levels) list(kind = kind, values = values, levels = levels)
    if (is.factor(x)) {
      if (anyNA(levels(x))) x <- factor(as.character(x), levels(x)[!is.na(levels(x))])
      kind <- if (is.ordered(x)) "ordered" else "factor"
      return(coded(kind, as.vector(unclass(x)), enc2utf8(levels(x))))
    }
    if (inherits(x, "POSIXlt")) x <- as.POSIXct(x)
    if (inherits(x, "POSIXct")) {
      zone <- attr(x, "tzone")[1]
      if (is.null(zone) || !nzchar(zone)) zone <- Sys.timezone()
      return(list(kind = "POSIXct", values = as.double(x), zone = zone))
    }
    if (inherits(x, "Date")) return(list(kind = "Date", values = as.double(x)))
    if (inherits(x, "difftime"))
      return(list(kind = "difftime", values = as.double(x, units = "secs")))
    if (inherits(x, "integer64") && requireNamespace("bit64", quietly = TRUE)) x <- as.double(x)
    if (is.null(dim(x)) && is.character(x)) {
      x <- enc2utf8(x)
      known <- unique(x)
      known <- known[!is.na(known)]
      return(coded("character", match(x, known), known))
    }
    plain <- is.null(dim(x)) && (is.logical(x) || is.numeric(x)) && !inherits(x, "integer64")
    if (!plain) return(list(kind = if (is.list(x)) "list" else class(x)[1], values = 0))
    kind <- typeof(x)
    list(kind = kind, values = if (kind == "logical") as.integer(x) else as.vector(x))
  }

  # -- parts to R ------------------------------------------------------------------------------------

  take <- function(x) {
    if (!is.list(x)) return(x)
    if (!is.null(x$.table)) return(take_table(x$.table))
    if (!is.null(x$.object)) return(take_object(x$.object))
    if (!is.null(x$.named)) return(stats::setNames(x$.named$values, unlist(x$.named$names)))
    if (!is.null(x$.raster)) return(take_raster(x$.raster))
    single <- vapply(x, function(v) is.null(v) || (is.atomic(v) && length(v) == 1L), NA)
    if (is.null(names(x)) && length(x) && all(single))
      return(unlist(lapply(x, function(v) if (is.null(v)) NA else v)))
    lapply(x, take)
  }

  take_table <- function(x) {
    columns <- lapply(x$columns, take_column)
    names(columns) <- vapply(x$columns, function(k) k$name, "")
    structure(columns, class = "data.frame", row.names = .set_row_names(x$rows))
  }

  take_column <- function(k) {
    levels <- as.character(unlist(k$levels))
    switch(k$kind,
      logical = as.logical(k$values),
      character = levels[k$values],
      factor = structure(k$values, levels = levels, class = "factor"),
      ordered = structure(k$values, levels = levels, class = c("ordered", "factor")),
      Date = structure(k$values, class = "Date"),
      POSIXct = structure(k$values, class = c("POSIXct", "POSIXt"), tzone = k$zone),
      difftime = structure(k$values, class = "difftime", units = "secs"),
      k$values)
  }

  take_raster <- function(x) {
    structure(x$values, dim = c(x$rows, x$columns), class = "nativeRaster", channels = 4L)
  }

  take_object <- function(x) {
    fields <- lapply(x$fields, take)
    if ("htest" %in% unlist(x$class)) fields <- as_htest(fields)
    kept <- lapply(x[intersect(c("tidy", "glance", "augment"), names(x))], take)
    kept <- c(kept, list(text = x$text, notes = take(x$notes), picture = x$picture,
                         handle = hold(x$handle$.handle)))
    structure(fields, class = as.character(unlist(x$class)), larvastats = kept)
  }

  # A result holds its Python object by name; when R drops the result, the engine hears of it.
  dropped <- character()
  hold <- function(name) {
    handle <- new.env(parent = emptyenv())
    handle$name <- name
    reg.finalizer(handle, function(h) dropped <<- c(dropped, h$name))
    handle
  }

  as_htest <- function(x) {
    names(x) <- sub("p_value", "p.value", names(x), fixed = TRUE)
    names(x) <- sub("^(null|data|conf)_", "\\1.", names(x))
    if (!is.null(x$conf.int)) attr(x$conf.int, "conf.level") <- x$conf.level
    x$conf.level <- NULL
    x
  }

  # -- formulas: R's language into that of formulaic ---------------------------------------------------

  known_functions <- c(log = "log", log10 = "log10", log2 = "log2", exp = "exp", sqrt = "np.sqrt",
                       abs = "np.abs", sin = "np.sin", cos = "np.cos", tan = "np.tan",
                       tanh = "np.tanh", floor = "np.floor", ceiling = "np.ceil",
                       pmin = "np.minimum", pmax = "np.maximum")

  write_formula <- function(formula) {
    where <- environment(formula)
    splines <- list()
    cannot <- function(what, ...)
      no("the formula ", paste(deparse(formula), collapse = " "), " has ", what, ", which ", ...)
    name <- function(e) {
      text <- as.character(e)
      if (text == ".") cannot("a dot", "stands for no columns here; name them.")
      if (text == make.names(text)) text else paste0("`", text, "`")
    }
    spline <- function(e, kind) {
      call <- match.call(getExportedValue("splines", kind), e)
      value <- function(a) {
        found <- eval(call[[a]], where)
        if (is.null(found)) NULL else as.double(found)
      }
      splines[[length(splines) + 1]] <<- list(
        "function" = kind, variable = arithmetic(call$x), df = eval(call$df, where),
        knots = value("knots"), boundary = value("Boundary.knots"),
        degree = eval(call$degree, where), intercept = isTRUE(eval(call$intercept, where)))
      paste0("{", length(splines) - 1, "}")
    }
    constant <- function(e) {
      if (is.logical(e)) return(if (isTRUE(e)) "True" else "False")
      if (is.character(e)) return(encodeString(e, quote = "'"))
      sprintf("%.15g", e)
    }
    arithmetic <- function(e) {
      if (is.symbol(e)) return(name(e))
      if (!is.call(e)) return(constant(e))
      op <- as.character(e[[1]])
      parts <- vapply(as.list(e)[-1], arithmetic, "")
      python <- c("^" = "**", "%%" = "%", "%/%" = "//", "&" = "&", "|" = "|")
      infix <- c("+", "-", "*", "/", "<", ">", "<=", ">=", "==", "!=", names(python))
      if (length(op) == 1 && op == "(") return(paste0("(", parts, ")"))
      if (length(op) == 1 && op %in% infix) {
        sign <- if (op %in% names(python)) python[[op]] else op
        if (length(parts) == 1) return(paste0(sign, parts))
        return(paste0("(", parts[1], " ", sign, " ", parts[2], ")"))
      }
      if (length(op) == 1 && op %in% names(known_functions))
        return(paste0(known_functions[[op]], "(", paste(parts, collapse = ", "), ")"))
      cannot(paste0(deparse(e[[1]]), "()"), "formulaic does not know; it takes I(), ns(), bs(), ",
             "poly(), factor(), scale() and ", paste(names(known_functions), collapse = ", "), ".")
    }
    term <- function(e) {
      if (is.symbol(e)) return(name(e))
      if (!is.call(e)) return(constant(e))
      op <- as.character(e[[1]])
      op <- op[length(op)]  # splines::ns is ns
      if (op %in% c("|", "||"))
        cannot(deparse(e), "is a random effect; the errors are those of the replicates anyway: ",
               "leave it out.")
      if (op == "(") return(paste0("(", term(e[[2]]), ")"))
      if (op %in% c("+", "-", "*", ":", "/", "%in%", "^")) {
        if (length(e) == 2) return(paste0(op, term(e[[2]])))
        return(paste(term(e[[2]]), if (op == "^") "**" else op, term(e[[3]])))
      }
      if (op %in% c("ns", "bs")) return(spline(e, op))
      if (op == "I") return(paste0("I(", arithmetic(e[[2]]), ")"))
      if (op %in% c("factor", "as.factor")) return(paste0("C(", arithmetic(e[[2]]), ")"))
      if (op == "scale" && length(e) == 2) return(paste0("scale(", arithmetic(e[[2]]), ")"))
      if (op == "poly") {
        call <- match.call(stats::poly, e, expand.dots = FALSE)
        degree <- if (is.null(call$degree)) max(1, eval(call$...[[1]], where))
                  else eval(call$degree, where)
        raw <- if (isTRUE(eval(call$raw, where))) "True" else "False"
        return(sprintf("poly(%s, degree=%d, raw=%s)", arithmetic(call$x), degree, raw))
      }
      if (op == "offset") cannot("an offset", "multinomial logits here do not take; leave it out.")
      arithmetic(e)
    }
    if (length(formula) != 3L) cannot("no left side", "is what it is about; write 'to ~ ...'.")
    text <- paste(term(formula[[2]]), "~", term(formula[[3]]))
    check_margins(formula, cannot)
    list(text = text, splines = splines)
  }

  # R's ns() and poly() leave the constant out, formulaic's cr() has it: both mean the same curves
  # only where the constant (of each group) is in the formula too
  check_margins <- function(formula, cannot) {
    terms <- stats::terms(formula)
    factors <- attr(terms, "factors")
    if (!length(factors)) return(invisible())
    heads <- vapply(as.list(attr(terms, "variables"))[-1], function(e)
      if (is.call(e)) rev(as.character(e[[1]]))[1] else "", "")
    has <- apply(factors > 0, 2, function(k) paste(sort(rownames(factors)[k]), collapse = ":"))
    for (row in which(heads %in% c("ns", "poly"))) for (column in which(factors[row, ] > 0)) {
      rest <- setdiff(rownames(factors)[factors[, column] > 0], rownames(factors)[row])
      there <- if (length(rest)) paste(sort(rest), collapse = ":") %in% has
               else attr(terms, "intercept") == 1
      if (!there) cannot(paste(rownames(factors)[row], "without its constant"),
                         "formulaic's basis cannot leave out; add ",
                         if (length(rest)) paste(rest, collapse = ":") else "the intercept", ".")
    }
  }

  # -- errors ----------------------------------------------------------------------------------------

  no <- function(..., kind = "usage") {
    classes <- c(paste0("larva_", kind, "_error"), "larva_error", "error", "condition")
    stop(structure(class = classes, list(message = paste0(...), call = NULL)))
  }

  stopped <- function() {
    signalCondition(structure(class = c("interrupt", "condition"),
                              list(message = "interrupted.", call = NULL)))
    no("interrupted.", kind = "interrupt")
  }

  ask <- function(request) {
    request$forget <- dropped
    dropped <<- character()
    answer <- engine(request)
    error <- answer$error
    if (is.null(error)) return(take(answer$value))
    if (error$kind == "interrupt") stopped()
    no(error$message, kind = error$kind)
  }

  # -- methods ---------------------------------------------------------------------------------------

  about_result <- function(x) attr(x, "larvastats", exact = TRUE)

  summary_table <- function(x, which) {
    found <- about_result(x)[[which]]
    if (is.null(found)) no("there is no ", which, "() of a ", class(x)[1], "; print it instead.")
    if (is.character(found)) x[[found]] else found
  }

  # the names that broom gives such columns; all others stay as in the csv files
  broom_names <- c(p_value = "p.value", std_error = "std.error", conf_low = "conf.low",
                   conf_high = "conf.high", p_adjusted = "adj.p.value")

  for_broom <- function(x, which) {
    found <- summary_table(x, which)
    known <- names(found) %in% names(broom_names)
    names(found)[known] <- broom_names[names(found)[known]]
    if (requireNamespace("tibble", quietly = TRUE)) tibble::as_tibble(found) else found
  }

  say_notes <- function(x) for (note in about_result(x)$notes) cat("note: ", note, "\n", sep = "")

  print_htest <- function(x, ...) {
    shown <- structure(unclass(x), class = "htest")
    # print.htest has words of its own for these three alternatives only
    if (!isTRUE(x$alternative %in% c("two.sided", "less", "greater"))) shown$null.value <- NULL
    print(shown, ...)
    say_notes(x)
    invisible(x)
  }

  print_result <- function(x, ...) {
    cat(about_result(x)$text, "\n", sep = "")
    invisible(x)
  }

  summarise <- function(object, ...) {
    said <- about_result(object)
    structure(list(class = class(object)[1], glance = said$glance, notes = said$notes,
                   design = object$design), class = "summary.larva_result")
  }

  print_summary <- function(x, ...) {
    cat("\n\t", x$class, "\n\n", sep = "")
    if (!is.null(x$glance)) {
      values <- vapply(x$glance, function(v) format(v[1], digits = 4), "")
      cat(paste0(format(paste0(names(x$glance), ":")), " ", values), sep = "\n")
    }
    for (note in x$notes) cat("note: ", note, "\n", sep = "")
    invisible(x)
  }

  draw <- function(x, ...) {
    size <- grDevices::dev.size("in")
    dpi <- max(150, grDevices::dev.size("px")[1] / size[1])
    pixels <- ask(list(verb = "plot", arguments = c(list(x = give(x)), lapply(list(...), give)),
                       width = size[1], height = size[2], dpi = dpi))
    grid::grid.newpage()
    grid::grid.raster(pixels)
    invisible(x)
  }

  predict_model <- function(object, newdata = NULL, ...) {
    if (is.null(newdata)) return(object$predictions)
    verbs$predict(object, newdata, ...)
  }

  register <- function() {
    table <- function(x, row.names = NULL, optional = FALSE, ...) summary_table(x, "tidy")
    methods <- list(summary = summarise, plot = draw, as.data.frame = table)
    for (generic in names(methods)) for (class in c("larva_htest", "larva_result"))
      registerS3method(generic, class, methods[[generic]], envir = baseenv())
    bouts <- function(x, ...) ask(list(verb = "bouts", arguments = list(x = give(x))))
    registerS3method("as.data.frame", "larva_ethogram", bouts, envir = baseenv())
    registerS3method("print", "larva_htest", print_htest, envir = baseenv())
    registerS3method("print", "larva_result", print_result, envir = baseenv())
    registerS3method("print", "summary.larva_result", print_summary, envir = baseenv())
    registerS3method("print", "larvastats", print_verbs, envir = baseenv())
    registerS3method("$", "larvastats", pick, envir = baseenv())
    registerS3method("predict", "larva_transition_model", predict_model,
                     envir = asNamespace("stats"))
    if (isNamespaceLoaded("generics")) register_broom()
    setHook(packageEvent("generics", "onLoad"), function(...) register_broom())
  }

  # broom's own tidy() and glance() of htest serve tests
  register_broom <- function() {
    where <- asNamespace("generics")
    for (generic in c("tidy", "glance", "augment")) local({
      which <- generic
      method <- function(x, ...) for_broom(x, which)
      registerS3method(which, "larva_result", method, envir = where)
      if (which == "augment") registerS3method(which, "larva_htest", method, envir = where)
    })
  }

  # -- the engine where Python is not the host: the command, numbers in files ------------------------

  as_file <- function(x, folder) {
    if (is.function(x)) no("an R function cannot be handed to the command larvastats; run this ",
                           "script with `larvastats r` instead.")
    if (is.list(x)) return(lapply(x, as_file, folder))
    if (is.null(x) || is.character(x) || is.logical(x)) return(x)
    if (length(x) == 1L) return(list(.numbers = sprintf("%.17g", as.double(x))))
    file <- paste0(length(list.files(folder)), ".bin")
    writeBin(x, file.path(folder, file))
    list(.bin = file, type = typeof(x))
  }

  from_file <- function(x, folder) {
    if (!is.list(x)) return(x)
    if (is.null(x$.bin)) return(lapply(x, from_file, folder))
    readBin(file.path(folder, x$.bin), x$type, n = x$n)
  }

  by_command <- function(request) {
    if (!requireNamespace("jsonlite", quietly = TRUE))
      no("larvastats.R needs the R package jsonlite; install.packages(\"jsonlite\"), or Debian's ",
         "r-cran-jsonlite.")
    unlink(request$forget)
    folder <- tempfile("larvastats-")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    kept <- file.path(tempdir(), "larvastats-objects")
    dir.create(kept, showWarnings = FALSE)
    request <- c(as_file(request, folder), list(keep = kept))
    write_text <- jsonlite::toJSON(request, auto_unbox = TRUE, null = "null", na = "null")
    writeLines(write_text, file.path(folder, "request.json"), useBytes = TRUE)
    status <- run_command(folder)
    answer <- file.path(folder, "answer.json")
    if (status == 127L && !file.exists(answer))
      no("the command '", getOption("larvastats.command", "larvastats"), "' was not found; install ",
         "larvastats (pip install larvastats), or say where it is: ",
         "options(larvastats.command = \"/path/to/larvastats\").")
    if (!file.exists(answer))
      no("the command larvastats ended with status ", status, " and without an answer; what it ",
         "said stands above.", kind = "data")
    from_file(jsonlite::fromJSON(answer, simplifyVector = FALSE), folder)
  }

  # R puts its libraries before those of the system, and Python may then load some of another build
  own_libraries <- paste(
    'own=$LD_LIBRARY_PATH; paths="$R_HOME/etc$R_ARCH/ldpaths"; [ ! -r "$paths" ] || . "$paths";',
    'own=${own#"$R_LD_LIBRARY_PATH"}; LD_LIBRARY_PATH=${own#:};',
    '[ -n "$LD_LIBRARY_PATH" ] || unset LD_LIBRARY_PATH;')

  # The command runs in the background, so that a stop in R reaches it also where R has no terminal.
  run_command <- function(folder) {
    command <- getOption("larvastats.command", "larvastats")
    words <- paste(shQuote(path.expand(command)), "r --answer", shQuote(folder))
    if (.Platform$OS.type != "unix") return(system(words))
    pid <- file.path(folder, "pid")
    status <- file.path(folder, "status")
    child <- paste("exec 2>&3; echo $$ >", shQuote(pid), ";", own_libraries, "exec", words)
    part <- shQuote(paste0(status, ".part"))
    watched <- paste("sh -c", shQuote(child), "; echo $? >", part, "; mv", part, shQuote(status))
    system(paste("sh -c", shQuote(watched), "3>&2 2>/dev/null &"))  # the shell itself keeps quiet
    wait <- function(seconds) {
      end <- Sys.time() + seconds
      while (!file.exists(status) && Sys.time() < end) Sys.sleep(0.02)
    }
    tryCatch(wait(Inf), interrupt = function(c) {
      tools::pskill(as.integer(readLines(pid)))
      wait(5)
      stopped()
    })
    as.integer(readLines(status))
  }

  # Python, where it is the host, puts its own engine around this file
  engine <- get0("larvastats_engine", ifnotfound = by_command)

  # -- verbs -----------------------------------------------------------------------------------------

  verb_call <- function(name, call, where) {
    given <- as.list(call)[-1]
    given <- given[!vapply(given, identical, NA, quote(expr = ))]
    arguments <- lapply(lapply(given, eval, where), give)
    if (length(given) && (is.null(names(given)) || !all(nzchar(names(given)))))
      no(name, " was given an argument without a name that it has no place for; name it.")
    ask(list(verb = name, arguments = arguments))
  }

  make_verb <- function(name, arguments) {
    verb <- function() NULL
    write <- function(a) if (nzchar(a[[2]])) str2lang(a[[2]]) else quote(expr = )
    formals(verb) <- stats::setNames(lapply(arguments, write),
                                     vapply(arguments, function(a) a[[1]], ""))
    body(verb) <- bquote({
      call <- match.call()
      where <- parent.frame()
      verb_call(.(name), call, where)
    })
    verb
  }

  pick <- function(x, name) {
    found <- .subset2(x, name)
    if (is.null(found)) no("larvastats has no verb '", name, "'; it has ",
                           paste(sort(ls(x)), collapse = ", "), ".")
    found
  }

  print_verbs <- function(x, ...) {
    cat("larvastats ", about$version, "\n\n", sep = "")
    titles <- vapply(about$verbs, function(v) v$title, "")
    cat(paste0("  $", format(names(titles)), "  ", titles), sep = "\n")
    cat("\nlarvastats$help(\"screen\") has the arguments.\n")
    invisible(x)
  }

  verbs <- new.env()
  about <- engine(list(verb = "about", arguments = NULL))$value
  for (name in names(about$verbs)) verbs[[name]] <- make_verb(name, about$verbs[[name]]$arguments)
  verbs$help <- function(verb) {
    if (is.null(about$verbs[[verb]])) no("larvastats has no verb '", verb, "'.")
    cat("larvastats$", verb, "\n\n", about$verbs[[verb]]$help, "\n", sep = "")
  }
  register()
  structure(verbs, class = "larvastats")
})
