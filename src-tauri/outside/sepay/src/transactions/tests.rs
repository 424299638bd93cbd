use super::*;

const PAGE: &str = r#"{"status":200,"error":null,"messages":{"success":true},"transactions":[
  {"id":"49682","transaction_date":"2023-05-05 19:59:48","account_number":"0071000888888","sub_account":null,
   "amount_in":"18067000.00","amount_out":"0.00","accumulated":"19689000.00","code":null,
   "transaction_content":"IBFT DH123456","reference_number":"FT1","bank_brand_name":"Vietcombank","bank_account_id":"19"},
  {"id":"49681","transaction_date":"2023-05-05 19:40:00","account_number":"0071000888888",
   "amount_in":"0.00","amount_out":"25000.00","accumulated":"-1622000.00","transaction_content":"phi","reference_number":null}
]}"#;

#[test]
fn a_page_is_read_to_the_dong_and_in_vietnams_time() {
    let rows = rows(sort(200, None, PAGE.as_bytes()).unwrap()).unwrap();
    let first = rows[0].read.as_ref().unwrap();
    assert_eq!((first.sepay_id, first.amount_vnd, first.direction), (49_682, 18_067_000, Direction::In));
    assert_eq!(first.accumulated, Some(19_689_000));
    // 19:59:48 in Vietnam is 12:59:48 UTC.
    assert_eq!(first.booked_at, Some(1_683_291_588_000));
    let second = rows[1].read.as_ref().unwrap();
    assert_eq!((second.amount_vnd, second.direction), (25_000, Direction::Out));
    assert_eq!(second.accumulated, Some(-1_622_000));
}

#[test]
fn a_fraction_of_a_dong_is_refused_and_spoils_no_other_row() {
    let page = PAGE.replace("18067000.00", "18067000.50");
    let rows = rows(&page).unwrap();
    assert_eq!(rows[0].read, Err(ParseError::Invalid("amount_in")));
    assert_eq!(rows[0].id, Some(49_682));
    assert!(rows[1].read.is_ok());
}

#[test]
fn an_empty_200_means_that_the_token_is_wrong() {
    for body in ["", " \n", "\u{feff}"] {
        assert_eq!(sort(200, None, body.as_bytes()), Err(ApiError::TokenWrong));
    }
    assert_eq!(sort(401, None, b"{}"), Err(ApiError::TokenWrong));
    assert_eq!(rows(r#"{"status":200,"transactions":[]}"#), Ok(vec![]));
}

#[test]
fn answers_are_sorted_by_what_to_do_about_them() {
    assert_eq!(sort(429, Some(" 7 "), b""), Err(ApiError::RateLimited(7)));
    assert_eq!(sort(429, Some("soon"), b""), Err(ApiError::RateLimited(0)));
    assert_eq!(sort(503, None, b""), Err(ApiError::Unavailable(503)));
    assert_eq!(sort(302, None, b""), Err(ApiError::Unavailable(302)));
    assert_eq!(sort(404, None, b""), Err(ApiError::Refused("status 404".to_owned())));
    assert_eq!(sort(200, None, &[0xff]), Err(ApiError::Unreadable("it is not UTF-8")));
    assert_eq!(sort(200, None, &vec![b' '; MAX_ANSWER + 1]), Err(ApiError::Unreadable("it is too large")));
    assert_eq!(
        rows(r#"{"status":400,"error":"since_id is\ninvalid"}"#),
        Err(ApiError::Refused("since_id isinvalid".to_owned()))
    );
    for page in ["{}", "[]", "<html>", r#"{"transactions":{}}"#, r#"{"transactions":null}"#] {
        assert!(matches!(rows(page), Err(ApiError::Unreadable(_))), "{page}");
    }
}

#[test]
fn a_question_is_written_in_vietnams_time() {
    let ask = Ask { since_id: Some(7), from: Some(1_683_291_588_000), until: None, limit: 500 };
    let expected = [("limit", "500"), ("since_id", "7"), ("transaction_date_min", "2023-05-05 19:59:48")];
    let query = ask.query();
    assert!(query.iter().map(|(name, value)| (*name, value.as_str())).eq(expected), "{query:?}");
}

#[test]
fn accounts_are_read_with_their_balances() {
    let page = r#"{"status":200,"bankaccounts":[{"id":"25","account_number":"0102871015203",
      "accumulated":"2525493.00","bank_short_name":"VietinBank"},{"account_number":"1","accumulated":""}]}"#;
    let accounts = accounts(page).unwrap();
    assert_eq!(accounts[0].account, "0102871015203");
    assert_eq!((accounts[0].balance_vnd, accounts[1].balance_vnd), (Some(2_525_493), None));
}

#[test]
fn a_row_that_was_written_is_read_back() {
    let notification = rows(PAGE).unwrap()[1].read.clone().unwrap();
    assert_eq!(parse_row(&notification.to_row().to_string()), Ok(notification));
}
