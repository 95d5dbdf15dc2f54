package control

import (
	"context"
	"net/http"

	"holdfast"
	"holdfast/internal/notice"
)

// Notices tells what is wrong, and tries whether people can be told.
type Notices interface {
	// Conditions returns what is open, the worst first.
	Conditions() []notice.Open
	// Ways tells how each way to tell people fares.
	Ways() []notice.WayState
	// Test sends a notice by every way, and says what came of each.
	Test(ctx context.Context) []notice.Outcome
}

// NoticeList is what is wrong, and who can be told.
type NoticeList struct {
	Conditions []notice.Open     `json:"conditions"`
	Ways       []notice.WayState `json:"ways"`
}

// NoticeTest is what came of a test of every way.
type NoticeTest struct {
	Ways []notice.Outcome `json:"ways"`
}

func (h *handler) notices(*http.Request) (any, error) {
	if h.Notices == nil {
		return nil, fail(holdfast.Unavailable, "", "this process tells nobody of anything")
	}
	return NoticeList{h.Notices.Conditions(), h.Notices.Ways()}, nil
}

func (h *handler) testNotices(r *http.Request) (any, error) {
	if h.Notices == nil {
		return nil, fail(holdfast.Unavailable, "", "this process tells nobody of anything")
	}
	return NoticeTest{h.Notices.Test(r.Context())}, nil
}

// Notices tells what is wrong, and who can be told.
func (c *Client) Notices(ctx context.Context) (out NoticeList, err error) {
	err = c.call(ctx, "GET", "/v1/notices", nil, &out)
	return out, err
}

// TestNotices sends a notice by every way, and says what came of each.
func (c *Client) TestNotices(ctx context.Context) (out NoticeTest, err error) {
	err = c.call(ctx, "POST", "/v1/notices/test", nil, &out)
	return out, err
}
