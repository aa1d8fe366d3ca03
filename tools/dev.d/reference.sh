# shellcheck shell=bash
# The reference, by Doxygen: headers and pages into build-docs/html. Part of tools/dev.

# Fails at the first warning there is, which includes whatever public name has no documentation.
build_reference() {
    rm -rf build-docs
    mkdir build-docs
    examples_for_reference >build-docs/examples.dox
    {
        cat docs/reference/Doxyfile
        echo "PROJECT_NUMBER = $(project_version)"
        echo "INPUT += build-docs/examples.dox"
        echo "STRIP_FROM_PATH += ."
        echo "OUTPUT_DIRECTORY = build-docs"
    } | doxygen -
}

# Each with the comment that it opens with.
examples_for_reference() {
    local example
    (cd examples && find . -name '*.cpp' -printf '%P\n' | sort) | while read -r example; do
        printf '/** @example %s\n' "$example"
        sed -n '/^\/\//!q; s,^// \{0\,1\},,p' "examples/$example"
        echo '*/'
    done
}

project_version() {
    sed -n "s/^    version: '\(.*\)',$/\1/p" meson.build
}
