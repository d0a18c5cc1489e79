# The record and the results side by side, and whether the answers are right.
# Reads the golden output as numbers (part=expected), then the results, a JSON line a turn.

function field(name,    at, rest) { # of the line: a number, a word, or the inside of a list
    at = index($0, "\"" name "\":")
    if (!at) return ""
    rest = substr($0, at + length(name) + 3)
    if (rest ~ /^\[/) return substr(rest, 2, index(rest, "]") - 2)
    if (match(rest, /^"([^"\\]|\\.)*"/)) return substr(rest, 2, RLENGTH - 2)
    match(rest, /^[^,}]*/)
    return substr(rest, 1, RLENGTH)
}

function magnitude(x) { return x < 0 ? -x : x }

# As buildmatrix computes it: relative, expected values below peak / 1000 count as that; or, of a
# quantized output, in steps of it.
function largest_error(got, n,    i, scale, off, largest) {
    largest = 0
    for (i = 1; i <= n; i++) {
        scale = magnitude(expected[i])
        if (scale < peak / 1000) scale = peak / 1000
        if (step) scale = step
        off = magnitude(got[i] - expected[i])
        off = scale ? off / scale : (off ? 1e300 : 0)
        if (off > largest) largest = off
    }
    return largest
}

function fault(    n, i, got, off, apart) { # in which way this answer is not the golden one
    n = split(field("output"), got, ",")
    if (n != size) return n " outputs instead of " size
    for (i = 1; i <= n; i++) if (got[i] !~ /^-?[0-9]/) return "the output is not finite"
    off = largest_error(got, n)
    if (step) off = sprintf("%.2f", off) + 0 # a hundredth of a step is rounding
    if (off > tolerance) return sprintf("off by %.1e, allowed is %.1e", off, tolerance)
    apart = field("batch_max_abs_diff")
    if (apart !~ /^[0-9]/ || apart + 0 > tolerance * (step ? step : peak)) {
        return "images of one batch have different answers (" apart " apart)"
    }
    if (field("repeat_identical") != "true") return "the first and the last pass differ"
    return ""
}

function failure(code, status) { # how a turn ended that has no answer
    if (code == 3 || code == 137 || status == "oom") return "out of memory"
    if (code == 126 || code == 127) return "the runner does not start: another CPU or C library?"
    if (code == 132) return "an illegal instruction: built for another CPU"
    if (code == 139) return "a segmentation fault"
    if (code != 0 || status != "ok") return "exit status " code ": " field("message")
    return ""
}

function spoil(batch, word, why) { # one bad turn takes the time away; WRONG outweighs failed
    if (verdict[batch] != "WRONG") verdict[batch] = word
    if (!((batch, why) in told)) notes = notes "batch " batch ": " word ": " why "\n"
    told[batch, why]
    bad = 1
}

function figure(x) { return x == "-" ? x : sprintf(x < 0.1 ? "%.4g" : x < 10 ? "%.3f" : "%.2f", x) }

function ratio(now, before) {
    return now == "-" || before == "-" || before == 0 ? "-" : sprintf("%.3f", now / before)
}

function print_row(line,    old, batch, ms, count) {
    split(line, old, " ") # batch size, status, ms and instructions of an image or a call
    batch = old[1]
    if (!(batch in turns)) return
    ms = count = "-"
    if (verdict[batch] == "right" || verdict[batch] == "not checked") {
        ms = sum[batch] / passes[batch] / batch / 1e6
        if (!(batch in uncounted)) count = counted[batch] / turns[batch] / 1e6
    }
    if (old[4] != "-") old[4] /= 1e6
    printf "%5d %10s %10s %7s  %10s %10s %7s   %s\n", batch,
        old[2] == "ok" ? figure(old[3]) : old[2], figure(ms), emulated ? "-" : ratio(ms, old[3]),
        figure(old[4]), figure(count), ratio(count, old[4]), verdict[batch]
}

BEGIN {
    tolerance = ENVIRON["tolerance"] + 0
    step = ENVIRON["step"] + 0
    emulated = ENVIRON["emulated"] ENVIRON["here"]
}

part == "expected" {
    for (i = 1; i <= NF; i++) {
        expected[++size] = $i + 0
        if (magnitude(expected[size]) > peak) peak = magnitude(expected[size])
    }
    next
}

{
    batch = field("batch")
    turns[batch]++
    if (!(batch in verdict)) verdict[batch] = size ? "right" : "not checked"
    n = split(field("samples_ns"), samples, ",")
    why = failure(field("exit"), field("status"))
    if (why == "" && n == 0) why = "the runner gave no times"
    if (why != "") { spoil(batch, "failed", why); next }
    if (size) why = fault()
    if (why != "") { spoil(batch, "WRONG", why); next }
    for (i = 1; i <= n; i++) sum[batch] += samples[i]
    passes[batch] += n
    count = field("instructions")
    if (count ~ /^[0-9]/) counted[batch] += count / n / batch
    else uncounted[batch]
}

END {
    per = ENVIRON["per"]
    printf "              %-26sM instructions %s\n", "ms " per, per
    print "batch   recorded       here   ratio    recorded       here   ratio   answer"
    marks = sprintf("      %10s %10s", ENVIRON["emulated"], ENVIRON["here"])
    sub(/ +$/, "", marks)
    if (emulated) print marks
    n = split(ENVIRON["recorded"], lines, "\n")
    for (i = 1; i <= n; i++) print_row(lines[i])
    printf "%s", notes
    if (!size) print "not checked: without od, answers are not compared"
    if (emulated) print "emulated: such a time says nothing about a board; compare instructions"
    exit bad
}
