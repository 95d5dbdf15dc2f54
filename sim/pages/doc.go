// Package pages holds the tests that look at the pages of the real Holdfast program in a real browser (Chromium, without a window): at the width of a phone and of a desk, light and dark, judged by axe-core, and kept as pictures in bin/screenshots.
//
// The browser is told what to do over two pipes, in the Chrome DevTools Protocol; nothing listens for it. axe-core is pinned in axe/package-lock.json.
//
// A test is passed over, by name, where the browser or axe-core is not there; with CI=true that is a failure. scripts/need-tools.sh and scripts/test.sh install them.
package pages
