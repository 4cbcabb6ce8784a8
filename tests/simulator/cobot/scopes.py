"""The scopes an app may ask for. Any other one ends the login with invalid_scope.

Sources: the scope list of the API 2 description, API 1's pages for the rest. Two scopes are missing
on purpose: Cobot's description needs `read_revenue_accounts` and `read_cost_centers`, but offers
neither.
"""

API_2_SCOPES = frozenset(
    (
        "read_allocations",
        "read_articles",
        "read_booking_credits",
        "read_bookings",
        "read_built_in_email_customizations",
        "read_calendar_blockers",
        "read_check_ins",
        "read_contacts",
        "read_discount_codes",
        "read_drop_in_pass_templates",
        "read_drop_in_passes",
        "read_event_attendances",
        "read_event_messages",
        "read_events",
        "read_external_bookings",
        "read_external_resources",
        "read_invoices",
        "read_membership_profiles",
        "read_memberships",
        "read_navigation_links",
        "read_networks",
        "read_payment_methods",
        "read_products",
        "read_published_membership_profiles",
        "read_resource_categories",
        "read_resources",
        "read_single_page_apps",
        "read_space_billing_details",
        "read_space_payment_method",
        "read_space_profiles",
        "read_space_subscriptions",
        "read_spaces",
        "read_teams",
        "read_terms_approvals",
        "read_urls",
        "read_user",
        "write_bookings",
        "write_check_ins",
        "write_customers",
        "write_drop_in_pass_purchases",
        "write_drop_in_passes",
        "write_event_attendances",
        "write_event_messages",
        "write_event_ticket_purchases",
        "write_events",
        "write_external_bookings",
        "write_external_resources",
        "write_invoice_reminders",
        "write_invoices",
        "write_membership_profiles",
        "write_navigation_links",
        "write_payments",
        "write_resources",
        "write_single_page_apps",
        "write_space_billing_details",
        "write_space_payment_method",
        "write_terms_approvals",
    )
)
API_1_SCOPES = frozenset(
    (
        "navigation",
        "read_accounting_codes",
        "read_activities",
        "read_custom_fields",
        "read_invoice_settings",
        "read_plans",
        "read_subscriptions",
        "write_activities",
        "write_custom_fields",
        "write_memberships",
        "write_subscriptions",
    )
)
ALL_SCOPES = API_1_SCOPES | API_2_SCOPES
