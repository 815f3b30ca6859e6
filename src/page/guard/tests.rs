use super::*;

fn linked(page_size: u64) -> Walk {
    Walk::new(List::new("x", PageBy::Link, page_size))
}

fn list() -> List {
    List::new("x", PageBy::Number("page"), 3)
}

/// Takes a page of these rows.
fn take(walk: &mut Walk, rows: &[u64], page: Page) -> Result<Option<At>, ReadError> {
    for row in rows {
        walk.is_new(row);
    }
    walk.page(page)
}

fn link(total: u64, next: &str) -> Page {
    Page { total: Some(total), next: Next::Link(next.to_owned()), ..Page::default() }
}

fn last(total: u64) -> Page {
    Page { total: Some(total), next: Next::End, ..Page::default() }
}

fn to(link: &str) -> Result<Option<At>, ReadError> {
    Ok(Some(At::Link(link.to_owned())))
}

fn has_moved(result: Result<Option<At>, ReadError>) -> bool {
    matches!(result, Err(ReadError::Moved(_)))
}

fn cause(result: Result<Option<At>, ReadError>) -> Option<Cause> {
    result.err().map(|error| error.problem().cause)
}

/// Walks over numbered pages; returns the number of rows, and how the walk ended: `on` if another
/// page is expected.
fn walked(list: List, pages: &[(&[u64], Option<u64>)]) -> (u64, String) {
    let mut walk = Walk::new(list);
    for (rows, total) in pages {
        match take(&mut walk, rows, Page { total: *total, ..Page::default() }) {
            Ok(Some(_)) => {}
            Ok(None) => return (walk.rows(), "end".to_owned()),
            Err(error) => return (walk.rows(), error.problem().message),
        }
    }
    (walk.rows(), "on".to_owned())
}

#[test]
fn links_are_followed_to_the_end() {
    let mut walk = linked(2);
    assert_eq!(take(&mut walk, &[1, 2], Page { sent: Some(2), ..link(3, "b") }), to("b"));
    assert_eq!(walk.progress(), "page 1 of 2");
    assert_eq!(take(&mut walk, &[3], last(3)), Ok(None));
    assert_eq!((walk.rows(), walk.total()), (3, Some(3)));
    assert_eq!(take(&mut linked(500), &[], last(0)), Ok(None));
}

#[test]
fn a_row_is_new_once() {
    let mut walk = linked(2);
    assert!(walk.is_new("a") && walk.is_new("b"));
    assert!(!walk.is_new("a"));
    assert_eq!(walk.page(link(2, "b")), to("b"));
    assert!(!walk.is_new("b"));
}

#[test]
fn figures_that_disagree_show_that_the_list_moved() {
    let mut changed = linked(2);
    assert_eq!(take(&mut changed, &[1, 2], link(4, "b")), to("b"));
    assert!(has_moved(take(&mut changed, &[3, 4], last(5))));
    assert!(has_moved(take(&mut linked(2), &[1, 2], last(1))));
    assert!(has_moved(take(&mut linked(2), &[1], last(2))));
    let lost = Page { sent: Some(4), ..link(4, "b") };
    assert!(has_moved(take(&mut linked(2), &[1, 2], lost)));
}

#[test]
fn walks_that_do_not_move_forward_are_refused() {
    let mut circle = linked(1);
    assert_eq!(take(&mut circle, &[1], link(4, "b")), to("b"));
    assert_eq!(cause(take(&mut circle, &[2], link(4, "b"))), Some(Cause::Protocol));

    let mut endless = linked(500);
    let refused = (0..100).find_map(|at| take(&mut endless, &[], link(10, &at.to_string())).err());
    assert_eq!(refused.map(|error| error.problem().cause), Some(Cause::Protocol));
    assert!(endless.pages() < 25);
}

#[test]
fn a_list_that_is_too_long_is_refused_early() {
    let long = List { most_rows: 1000, ..list() };
    let page = Page { total: Some(1001), ..Page::default() };
    let mut walk = Walk::new(long);
    assert_eq!(take(&mut walk, &[1, 2, 3], page.clone()), Ok(Some(At::Number(2))));
    // Reading it again would not help.
    assert!(matches!(take(&mut walk, &[4, 5, 6], page), Err(ReadError::Failed(_))));
}

#[test]
fn short_pages_are_accepted() {
    let mut walk = linked(500);
    for at in 1..=300_u64 {
        let rows: Vec<_> = (at * 10..at * 10 + 10).collect();
        let page = if at < 300 { link(3000, &at.to_string()) } else { last(3000) };
        assert!(take(&mut walk, &rows, page).is_ok(), "{at}");
    }
    assert_eq!(walk.progress(), "page 300 of 300");
}

#[test]
fn numbered_pages_end_with_their_total_or_without_rows() {
    for (pages, expected) in [
        (&[(&[][..], None)][..], (0, "end")),
        (&[(&[], Some(0))], (0, "end")),
        (&[(&[1, 2, 3], Some(3))], (3, "end")),
        (&[(&[1, 2], Some(3)), (&[3], Some(3))], (3, "end")),
        (&[(&[1, 2, 3], None), (&[], None)], (3, "end")),
        // The platform may send fewer rows than were asked for.
        (&[(&[1, 2, 3], None), (&[4], None)], (4, "on")),
        // What moved to the next page, or is twice on one, counts once.
        (&[(&[1, 2, 3], None), (&[3, 4, 4], None), (&[], None)], (4, "end")),
    ] {
        let (rows, end) = walked(list(), pages);
        assert_eq!((rows, end.as_str()), expected, "{pages:?}");
    }
}

#[test]
fn a_list_without_totals_and_ids_ends_with_a_short_page() {
    let bare = || List { short_page_ends: true, key: RowKey::Content, ..list() };
    for (pages, expected) in [
        // The first page could be short because of a limit of the platform, so it never ends it.
        (&[(&[1, 2][..], None), (&[3, 4], None), (&[5], None)][..], (5, "end")),
        (&[(&[1, 2, 3], None), (&[3, 4], None)], (4, "end")),
        // What is twice on one page is twice in the total.
        (&[(&[1, 1], Some(3)), (&[2], Some(3))], (3, "end")),
    ] {
        let (rows, end) = walked(bare(), pages);
        assert_eq!((rows, end.as_str()), expected, "{pages:?}");
    }
}

#[test]
fn numbered_pages_that_do_not_add_up_are_recognised() {
    let moves = || List { repeats: Repeats::ShowMoves, ..list() };
    for (list, pages, has) in [
        (list(), &[(&[1, 2][..], None), (&[1, 2], None)][..], "ignores `page`"),
        (list(), &[(&[1, 2], Some(9)), (&[1, 2], Some(9))], "ignores `page`"),
        (list(), &[(&[1, 2], Some(3)), (&[3], Some(4))], "from 3 to 4"),
        (list(), &[(&[1, 2, 3], Some(2))], "3 rows arrived where 2"),
        (list(), &[(&[1, 2], Some(4)), (&[], Some(4))], "2 of 4 rows"),
        (list(), &[(&[1, 2, 2], Some(4)), (&[], Some(4))], "some of them were repeated"),
        (list(), &[(&[1, 2], None), (&[2, 1], None)], "only rows of earlier pages"),
        (moves(), &[(&[1, 2], Some(4)), (&[2, 3], Some(4))], "a row of an earlier page"),
    ] {
        let (_, end) = walked(list, pages);
        assert!(end.contains(has), "{end}");
    }
}

#[test]
fn a_page_may_be_repeated_where_the_platform_is_known_to() {
    let mut walk = Walk::new(list());
    let page = || Page { next: Next::LastIfRepeated, ..Page::default() };
    assert_eq!(take(&mut walk, &[1], page()), Ok(Some(At::Number(2))));
    assert_eq!(take(&mut walk, &[1], page()), Ok(None));
    assert_eq!(walk.rows(), 1);
}

#[test]
fn a_page_that_announces_another_one_is_not_the_last() {
    let mut walk = Walk::new(List { short_page_ends: true, ..list() });
    let page = |next| Page { next, ..Page::default() };
    assert_eq!(take(&mut walk, &[1, 2], page(Next::Announced)), Ok(Some(At::Number(2))));
    assert_eq!(take(&mut walk, &[3], page(Next::Announced)), Ok(Some(At::Number(3))));
    assert!(has_moved(take(&mut walk, &[], page(Next::Announced))));
}

#[test]
fn places_are_known_where_the_total_is() {
    let mut walk = Walk::new(List::new("x", PageBy::Offset("skip"), 3));
    let next = take(&mut walk, &[1, 2, 3], Page { total: Some(8), ..Page::default() });
    assert_eq!(next, Ok(Some(At::Offset(3))));
    assert_eq!(walk.from(At::Offset(3)).collect::<Vec<_>>(), [At::Offset(3), At::Offset(6)]);
    let mut walk = Walk::new(list());
    assert_eq!(take(&mut walk, &[1, 2, 3], Page::default()), Ok(Some(At::Number(2))));
    assert_eq!(walk.from(At::Number(2)).collect::<Vec<_>>(), [At::Number(2)]);
}
